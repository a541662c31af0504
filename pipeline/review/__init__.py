"""Faces looked at by hand: a page on this machine alone, and contact sheets for print.

desk.py     the catalog's faces for many threads, and what was decided at this sitting
answers.py  what the page is told, and what it may wish
gate.py     who may ask: the secrets of a sitting, and the file that a browser opens
app.py      the page's addresses
serve.py    the web server, from the first address to Ctrl-C
thumbs.py   small pictures of crops, made when they are asked for
pictures.py the pictures that faces were found in, reduced
sheet.py    contact sheets as PNG, and listing.py the list of what is on them
"""
