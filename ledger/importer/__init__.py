"""Import: a bank's file of rows into the ledger, each row exactly once however often it is imported.

    mapping = file_mapping(Path("bank.toml"))
    summary = import_file(ledger, Path("bank.csv.gz"), mapping, rejects=Path("rejects.csv"))

A row's transaction id is made from the source's name, the row's own id and its date, so an import
that was killed is finished by running it again, and a whole one adds nothing.
"""

from ledger.importer.mapping import FileMapping, file_mapping
from ledger.importer.run import Progress, Summary, check_file, import_file

__all__ = [
    "FileMapping",
    "Progress",
    "Summary",
    "check_file",
    "file_mapping",
    "import_file",
]
