"""What a benchmark has found, for machines, on a terminal, in a browser, and while it runs.

`document` is the JSON report and `fields` its types, `table` the text, `page` the page, `progress` what is shown while
it runs, `veil` keeps secrets out of them. All but `progress` are pure.
"""
