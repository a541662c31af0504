import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline import manners as module
from pipeline.manners import BusyHostError, Manners
from tests.clock import Time


def polite(time, connections=8, per_second=0.0, **options):
    return Manners(connections, per_second, clock=time.clock, sleep=time.sleep, **options)


def starts(manners, time, hosts):
    found = []
    for host in hosts:
        with manners.turn(host, 80) as waited:
            found.append((time.now, waited))
    return found


def test_starts_at_one_host_are_evenly_spaced_from_the_first():
    time = Time()
    found = starts(polite(time, per_second=4), time, ["a.example"] * 4)
    assert found == [(100.0, 0.0), (100.25, 0.25), (100.5, 0.25), (100.75, 0.25)]
    assert time.naps == [0.25] * 3


def test_time_that_has_passed_is_not_waited_for_nor_saved_up():
    time = Time()
    manners = polite(time, per_second=4)
    starts(manners, time, ["a.example"])
    time.now += 10
    found = starts(manners, time, ["a.example"] * 2)
    assert found == [(110.0, 0.0), (110.25, 0.25)]


def test_hosts_do_not_wait_for_each_other():
    time = Time()
    manners = polite(time, per_second=1)
    manners.pause("a.example", 50)
    assert starts(manners, time, ["b.example", "c.example"]) == [(100.0, 0.0)] * 2


def test_a_host_is_one_host_however_it_is_written():
    time = Time()
    starts(polite(time, per_second=1), time, ["A.Example.", "a.example", "[::1]", "::1"])
    assert time.naps == [1.0, 1.0]


def test_no_rate_means_no_wait():
    time = Time()
    starts(polite(time), time, ["a.example"] * 50)
    assert time.naps == []


def test_own_servers_have_no_budget():
    time = Time()
    manners = polite(time, 1, 1.0, exempt=[("127.0.0.1", 8000), ("my.lan", None)])
    with manners.turn("127.0.0.1", 8000), manners.turn("127.0.0.1", 8000):
        pass
    starts(manners, time, ["my.lan"] * 3)
    assert time.naps == []
    with manners.turn("127.0.0.1", 9), manners.turn("127.0.0.1", 8000):
        pass
    with manners.turn("127.0.0.1", 9):
        pass
    assert time.naps == [1.0]


def test_pause_that_an_own_server_asks_for_counts():
    time = Time()
    manners = polite(time, exempt=[("my.lan", None)])
    manners.pause("my.lan", 7)
    starts(manners, time, ["my.lan"])
    assert time.naps == [7.0]


def test_stricter_limit_counts_whichever_came_last():
    time = Time()
    manners = polite(time, 4, 10.0)
    manners.limit("met.example", per_second=1)
    manners.limit("met.example", per_second=5, connections=2)
    manners.limit("met.example", per_second=0)
    starts(manners, time, ["met.example"] * 2 + ["b.example"] * 2)
    assert time.naps == pytest.approx([1.0, 0.1])


def test_nobody_asks_a_host_before_its_pause_ends_and_then_one_after_the_other():
    time = Time()
    manners = polite(time, per_second=2)
    manners.pause("a.example", 9)
    manners.pause("a.example", 3)
    assert starts(manners, time, ["a.example"] * 2) == [(109.0, 9.0), (109.5, 0.5)]


def test_pause_asked_for_while_others_wait_holds_for_them_too():
    time = Time()
    manners = polite(time, per_second=1)
    starts(manners, time, ["a.example"])
    real, pauses = time.sleep, iter([20.0])

    def sleep(seconds):
        real(seconds)
        for pause in pauses:
            manners.pause("a.example", pause)

    manners._sleep = sleep
    assert starts(manners, time, ["a.example"]) == [(121.0, 21.0)]
    assert time.naps == [1.0, 20.0]


def test_clock_that_stands_still_does_not_make_a_turn_endless():
    naps = []
    manners = Manners(2, 1.0, clock=lambda: 5.0, sleep=naps.append)
    manners.pause("a.example", 4)
    with manners.turn("a.example", 80) as waited:
        assert (waited, naps) == (4.0, [4.0])


def test_pause_that_is_too_long_for_the_asker_is_told_at_once():
    time = Time()
    manners = polite(time)
    manners.pause("a.example", 60)
    with (
        pytest.raises(BusyHostError, match="another 60 s") as caught,
        manners.turn("a.example", 80, give_up_at=159.0),
    ):
        raise AssertionError
    assert (caught.value.wait_s, time.naps) == (60.0, [])
    with manners.turn("a.example", 80, give_up_at=160.0) as waited:
        assert waited == 60.0


def test_wait_in_the_queue_does_not_use_up_the_patience_for_a_pause():
    time = Time()
    manners = polite(time, per_second=0.1)
    starts(manners, time, ["a.example"])
    real = time.sleep

    def sleep(seconds):
        real(seconds)
        if len(time.naps) == 1:
            manners.pause("a.example", 4)

    manners._sleep = sleep
    with manners.turn("a.example", 80, give_up_at=105.0) as waited:
        assert waited == 20.0  # a new place in the queue, ten seconds after the one it lost


def test_no_more_connections_at_once_than_allowed():
    manners = Manners(3, 0.0)
    lock, open_now, most = threading.Lock(), [0], [0]

    def work(_):
        with manners.turn("a.example", 80):
            with lock:
                open_now[0] += 1
                most[0] = max(most[0], open_now[0])
            time.sleep(0.002)
            with lock:
                open_now[0] -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(60)))
    assert most == [3]


def test_slot_is_free_again_after_an_error():
    manners = Manners(1, 0.0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), manners.turn("a.example", 80):
            raise ZeroDivisionError


def waiters(manners, count, host="a.example", give_up_at=float("inf")):
    """Threads that wait for a turn, and what becomes of them."""
    ends = []

    def work():
        try:
            with manners.turn(host, 80, give_up_at):
                ends.append("turn")
        except BusyHostError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    while manners._hosts[host].waiting < count:
        time.sleep(0.001)
    return threads, ends


def test_all_who_wait_go_away_when_the_host_asks_for_a_long_pause():
    manners = Manners(1, 0.0)
    with manners.turn("a.example", 80):
        threads, ends = waiters(manners, 4, give_up_at=manners._clock() + 10)
        manners.pause("a.example", 3600)
    for thread in threads:
        thread.join(5)
    assert len(ends) == 4
    assert all("asks to wait" in end for end in ends)


def test_stop_sends_away_who_waits_and_who_comes():
    manners = Manners(1, 0.0)
    with manners.turn("a.example", 80):
        threads, ends = waiters(manners, 4)
        manners.stop()
        for thread in threads:
            thread.join(5)
    assert ends == ["stopped while waiting for a.example"] * 4
    with pytest.raises(BusyHostError, match="stopped"), manners.turn("b.example", 80):
        raise AssertionError


def test_memory_is_bounded_over_many_hosts(monkeypatch):
    monkeypatch.setattr(module, "HOSTS_REMEMBERED", 10)
    clock = Time()
    manners = polite(clock)
    with manners.turn("held.example", 80):
        starts(manners, clock, [f"{number}.example" for number in range(5)])
        assert len(manners._hosts) == 6
    starts(manners, clock, [f"{number}.example" for number in range(100)])
    assert len(manners._hosts) == 10
