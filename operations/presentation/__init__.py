"""The description of runs on pages: summary, expected duration, queue position, charts."""
