from hypothesis import given
from hypothesis import strategies as st

from facegan.core.records import SearchResult
from pipeline.by_host import HostQueue


def result(name):
    """`b3` is the third picture of host b."""
    return SearchResult(f"https://{name[0]}.example/{name[1:]}", "q", "bing", 0)


def name(found):
    return None if found is None else found.url[8] + found.url.rpartition("/")[2]


def waiting(names, most=99, own=()):
    queue = HostQueue(most, own)
    queue.add(map(result, names))
    return queue


def drained(queue):
    taken = []
    while (found := queue.take()) is not None:
        taken.append(name(found))
    return taken


def test_hosts_take_turns_and_keep_their_order():
    queue = waiting(["a1", "a2", "a3", "b1", "b2", "c1"])
    assert drained(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert len(queue) == 0


def test_host_with_enough_work_waits_until_some_is_done():
    queue = waiting(["a1", "a2", "a3", "b1"], most=1)
    first = queue.take()
    assert (name(first), name(queue.take()), queue.take()) == ("a1", "b1", None)
    assert len(queue) == 2
    queue.done(first)
    assert name(queue.take()) == "a2"
    assert queue.take() is None


def test_own_hosts_and_addresses_without_a_host_have_no_bound():
    assert drained(waiting(["a1", "a2", "a3"], most=1, own=["a.example"])) == ["a1", "a2", "a3"]
    queue = HostQueue(1)
    queue.add(SearchResult(f"portrait:0/{n}?size=64", "q", "portraits", n) for n in range(3))
    assert [queue.take().rank for _ in range(3)] == [0, 1, 2]


def test_later_results_wait_behind_those_of_their_host():
    queue = waiting(["a1", "a2"])
    queue.take()
    queue.add(map(result, ["b1", "a3"]))
    assert drained(queue) == ["a2", "b1", "a3"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.integers(1, 3))
def test_nothing_is_lost_or_taken_twice_and_no_host_has_too_much_work(steps, most):
    queue, work, seen = HostQueue(most), [], []
    queue.add(result(f"{host}{n}") for n, (host, _) in enumerate(steps))
    for _, finish in steps:
        found = queue.take()
        if found is not None:
            work.append(found)
            seen.append(found.url)
        hosts = [item.url[8] for item in work]
        assert all(hosts.count(host) <= most for host in "abc")
        if work and (finish or found is None):
            queue.done(work.pop(0))
    while len(queue):
        for item in work:
            queue.done(item)
        work = [queue.take()]
        seen.append(work[0].url)
    assert sorted(seen) == sorted(result(f"{host}{n}").url for n, (host, _) in enumerate(steps))
