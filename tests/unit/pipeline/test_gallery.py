import urllib.request

import pytest

from pipeline.gallery import Gallery, folder_pictures
from pipeline.sources.bing import parse_page
from tests.servers import picture, pictures


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
        return answer.read()


def test_pages_lead_from_the_first_picture_to_the_last():
    with Gallery(pictures(7)) as gallery:
        url, names = f"{gallery.base_url}/images/search?q=a%20b&first=1&count=3", []
        while url:
            page = parse_page(get(url).decode(), "a b", url)
            names += [result.title for result in page.results]
            url = page.next_url
        assert names == [f"{number:04}" for number in range(7)]
        assert gallery.requests.total() == 4


def test_tiles_tell_the_size():
    with Gallery({"a.png": picture(side=48, kind="PNG")}) as gallery:
        (result,) = parse_page(gallery.page("a", 1, 5, full=True), "a").results
        assert (result.width, result.height) == (48, 48)


def test_folder_is_read_when_it_is_asked_for(tmp_path):
    for name, data in pictures(3).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    with Gallery(folder_pictures(tmp_path)) as gallery:
        (tmp_path / "0001.jpg").write_bytes(b"later")
        assert get(gallery.address("0001.jpg")) == b"later"
        assert len(gallery.pictures) == 3


def test_empty_gallery_says_so_in_bings_words():
    with Gallery({}) as gallery:
        page = parse_page(get(gallery.base_url + "/images/search?q=<a>&count=35").decode(), "<a>")
    assert page.no_results


@pytest.mark.parametrize(
    "path", ["/", "/pictures/none.jpg", "/pictures/../gallery.py", "/images/search?count=x"]
)
def test_nothing_else_is_served(path):
    with Gallery(pictures(1)) as gallery, pytest.raises(urllib.error.HTTPError) as caught:
        get(gallery.base_url + path)
    caught.value.close()
    assert caught.value.code in {400, 404}
