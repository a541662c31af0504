"""The Metropolitan Museum's collection: a search gives numbers, then one answer an object."""

from pathlib import PurePosixPath

from tests.sources_servers import Service

START = "/public/collection/v1"
FIRST = 1000


class Met(Service):
    """Every picture is an object in the public domain; its number goes up from 1000.

    Args:
        pictures: what every search finds.
        changes: by an object's number what is different about it; None: there is no such object.
    """

    def __init__(self, pictures, *, changes=None, host="127.0.0.1"):
        super().__init__(pictures, host=host)
        self.changes = dict(changes or {})

    def api(self, asked):
        if asked.path == f"{START}/search":
            numbers = [FIRST + at for at in range(len(self.names))]
            return 200, {"total": len(numbers), "objectIDs": numbers or None}
        number = asked.path.removeprefix(f"{START}/objects/")
        at = int(number) - FIRST if number.isascii() and number.isdecimal() else -1
        change = self.changes.get(at + FIRST, {})
        if not 0 <= at < len(self.names) or change is None:
            return 404, {"message": "ObjectID not found"}
        return 200, self._object(at) | change

    def _object(self, at):
        name = self.names[at]
        return {
            "objectID": FIRST + at,
            "isHighlight": False,
            "isPublicDomain": True,
            "primaryImage": f"{self.base_url}/originals/{at}.jpg",
            "primaryImageSmall": self.address(name),
            "additionalImages": [],
            "constituents": None,
            "department": "European Paintings",
            "objectName": "Painting",
            "title": PurePosixPath(name).stem,
            "artistDisplayName": "Ada Painter",
            "artistDisplayBio": "made up",
            "objectDate": "ca. 1870",
            "creditLine": "Gift of nobody, 1971",
            "objectURL": self.page(name),
            "tags": None,
        }
