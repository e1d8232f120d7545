"""Receipts of goods that version 1 kept under a key, a SKU and a warehouse joined by slashes, which a SKU with a slash made ambiguous.

Since version 2 slashes in the two names are escaped as in a JSON pointer; few ids have any, and no other changes. Such a receipt is added
under its new id, so that programs of both versions know it; `post` does that once more, and takes those with old ids away.
"""

_SKU, _WAREHOUSE = (f"replace(replace({name}, '~', '~0'), '/', '~1')" for name in ("sku", "warehouse"))
_OLD = "'/' || sku || '/' || warehouse"
_KEY = f"substr(id, 1, length(id) - length({_OLD}))"
_NEW = f"{_KEY} || '/' || {_SKU} || '/' || {_WAREHOUSE}"
_AMBIGUOUS = f"(sku <> {_SKU} OR warehouse <> {_WAREHOUSE}) AND length(id) > length({_OLD}) AND id = {_KEY} || {_OLD}"


def added(receipts: str) -> str:
    """Return the statement that adds ambiguous receipts under their new ids to the table of that name."""
    return (
        f"INSERT INTO {receipts} (id, sku, warehouse, quantity, reason, at) SELECT {_NEW}, sku, warehouse, quantity, reason, at"
        f" FROM {receipts} WHERE {_AMBIGUOUS} ON CONFLICT (id) DO NOTHING"
    )


def cleared(receipts: str) -> str:
    """Return the statement that takes away what `added` has read."""
    return f"DELETE FROM {receipts} WHERE {_AMBIGUOUS}"
