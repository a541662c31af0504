"""A transport that answers from a list, and JSON as no service would write it."""

import copy

from hypothesis import strategies as st

from facegan.core.errors import BlockedError, RateLimitedError, SourceError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "\0",
            "\ud800",
            "http://[",
            "//",
            "javascript:alert(1)",
            "http://a.example/b\nc",
            "a" * 9000,
        ]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


class Manners:
    """Notes what it is told."""

    def __init__(self):
        self.limits = {}
        self.pauses = []

    def limit(self, host, *, connections=None, per_second=None):
        self.limits[host] = (connections, per_second)

    def pause(self, host, seconds):
        self.pauses.append((host, seconds))


class Answers:
    """Gives its answers one after another, the last one for ever; an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.headers = []
        """Of the questions for JSON, beside a transport's own."""
        self.manners = Manners()

    def json(self, url, *, headers=None, **_):
        self.headers.append(headers)
        return self._next(url)

    def post_json(self, url, _form):
        return self._next(url)

    def _next(self, url):
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)


def refused(status=403):
    """As Transport has it."""
    kind = {429: RateLimitedError, 403: BlockedError, 401: BlockedError}.get(status, SourceError)
    return kind(f"a.example answers with HTTP {status}", status=status)


@st.composite
def spoilt(draw, answer):
    """`answer` with something in it that is not as it should be."""
    answer = copy.deepcopy(answer)
    for _ in range(draw(st.integers(1, 3))):
        inside = answer
        for _ in range(draw(st.integers(0, 5))):
            keys = list(inside) if isinstance(inside, dict) else range(len(inside))
            deeper = [key for key in keys if isinstance(inside[key], dict | list) and inside[key]]
            if not deeper:
                break
            inside = inside[draw(st.sampled_from(deeper))]
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if keys:
            inside[draw(st.sampled_from(keys))] = draw(JSON)
    return answer
