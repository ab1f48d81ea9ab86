"""Building blocks of pages that know no model: paging, ids, timeouts, live sections, CSV cells."""
