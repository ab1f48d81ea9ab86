"""Building blocks of pages that know no model: paging, timeouts, live sections, CSV cells."""
