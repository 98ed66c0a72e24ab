"""The stack on AWS: its template, the functions' code, and what `folio stack …` does with them."""
