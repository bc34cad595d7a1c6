"""What a run has found, for machines, for CI, for browsers, and on a terminal.

`document` is the JSON report and the published one, `junit` the XML, `page` the page, `text` plain lines, `progress`
what is shown while it runs, `expected` tells known failures from new ones. All but `progress` are pure.
"""
