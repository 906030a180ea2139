"""Reports for people: one file of HTML, English and Chinese, that asks nothing of any server."""
