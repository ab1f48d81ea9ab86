"""Building blocks of pages that know no model: paging, ids, registries, timeouts, live
sections, CSV.
"""
