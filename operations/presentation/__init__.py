"""How a run is described on a page: summary, expected duration, queue position, charts."""
