import multiprocessing
from pathlib import Path

from kombu import Connection, Consumer, Producer, Queue

from config import filebroker

MESSAGES = 300


def connect(folder: Path) -> Connection:
    filebroker.prepare(folder)
    options = filebroker.transport_options(folder)
    return Connection(transport="config.filebroker:Transport", transport_options=options)


def publish(folder: Path, first: int) -> None:
    with connect(folder) as connection:
        producer = Producer(connection)
        for number in range(first, first + MESSAGES):
            producer.publish(
                {"number": number}, routing_key="work", declare=[Queue("work", routing_key="work")]
            )


def consume(folder: Path, seen: "multiprocessing.Queue[int]") -> None:
    def note(body: dict[str, int], message: object) -> None:
        seen.put(body["number"])
        message.ack()

    with connect(folder) as connection, Consumer(connection, [Queue("work")], callbacks=[note]):
        while True:
            try:
                connection.drain_events(timeout=2)
            except TimeoutError:
                return


def test_it_loses_and_repeats_nothing_between_processes(tmp_path: Path) -> None:
    seen: multiprocessing.Queue[int] = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=publish, args=(tmp_path, first)) for first in (0, 1000)
    ] + [multiprocessing.Process(target=consume, args=(tmp_path, seen)) for _ in range(2)]
    for process in processes:
        process.start()
    numbers = [seen.get(timeout=30) for _ in range(2 * MESSAGES)]
    for process in processes:
        process.join(30)
    assert sorted(numbers) == [*range(MESSAGES), *range(1000, 1000 + MESSAGES)]
    assert seen.empty()


def test_a_broken_file_is_dropped_and_the_next_is_delivered(tmp_path: Path) -> None:
    publish(tmp_path, 0)
    folder = tmp_path / "messages"
    for name, content in {"empty": "", "half": '{"body": "x', "list": "[]"}.items():
        (folder / f"work.0000{name}.msg").write_text(content)
    (tmp_path / "control" / "broken.exchange").write_text("")
    with connect(tmp_path) as connection:
        queue = connection.SimpleQueue("work")
        assert queue.get(timeout=5).payload == {"number": 0}
