"""Wikimedia Commons' api.php, as far as a search for files goes."""

from pathlib import PurePosixPath

from tests.sources_servers import Service

CREATOR = "Ada Painter"
LICENSE = "CC BY-SA 4.0"
LICENSE_URL = "https://creativecommons.org/licenses/by-sa/4.0"


class Commons(Service):
    """Every picture is a file of namespace 6; `gsroffset` leads on.

    Args:
        pictures: what every search finds.
        batch: files an answer at most, whatever `gsrlimit` says.
        version: 1 gives pages as a dict by their number, 2 as a list.
        halves: whether an answer describes only half of its files, the rest the next one.
        says: what every file's page says beside that.
    """

    def __init__(self, pictures, *, batch=50, version=1, halves=False, says=None, host="127.0.0.1"):
        super().__init__(pictures, host=host)
        self.says = dict(says or {})
        self.batch = batch
        self.version = version
        self.halves = halves

    def api(self, asked):
        values = asked.values
        if asked.path != "/w/api.php" or values.get("action") != "query":
            return None
        if values.get("format") != "json" or values.get("generator") != "search":
            return 200, {"error": {"code": "badvalue", "info": "unrecognized value"}}
        first = int(values.get("gsroffset", 0))
        count = min(self.batch, int(values.get("gsrlimit", 10)))
        names = self.names[first : first + count]
        second = "iicontinue" in values
        answer = {}
        if self.halves and names and not second:
            answer["continue"] = {"iicontinue": "a|b", "continue": "||"}
            if first:
                answer["continue"]["gsroffset"] = first
        else:
            answer["batchcomplete"] = "" if self.version == 1 else True
            if first + count < len(self.names):
                answer["continue"] = {"gsroffset": first + count, "continue": "gsroffset||"}
        if names:
            told = values.get("iiextmetadatafilter", "").split("|")
            answer["query"] = {"pages": self._pages(first, names, told, second=second)}
        return 200, answer

    def _pages(self, first, names, told, *, second):
        pages = []
        for at, name in enumerate(names):
            page = {"pageid": 1000 + first + at, "ns": 6, "title": f"File:{name}"}
            page |= {"index": first + at + 1, "imagerepository": "local"}
            if not self.halves or second == (at % 2 == 1):
                page["imageinfo"] = [self._about(name, told)]
            pages.append(page)
        pages.reverse()  # the order of the pages is not that of the search
        return pages if self.version == 2 else {str(page["pageid"]): page for page in pages}

    def _about(self, name, told):
        width, height = self.size(name)
        values = {
            "Artist": f'<a href="//commons.wikimedia.org/wiki/User:Ada">{CREATOR}</a>',
            "LicenseShortName": LICENSE,
            "LicenseUrl": LICENSE_URL,
            "ObjectName": PurePosixPath(name).stem,
            "AttributionRequired": "true",
            **self.says,
        }
        return {
            "url": self.address(name),
            "descriptionurl": self.page(name),
            "width": width,
            "height": height,
            "size": len(self.pictures[name]),
            "mime": "image/jpeg",
            "sha1": "0" * 40,
            "extmetadata": {
                key: {"value": value, "source": "commons-desc-page"}
                for key, value in values.items()
                if key in told or told == [""]
            },
        }
