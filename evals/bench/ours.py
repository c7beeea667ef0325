"""What is timed, done by this project. `python -m evals.bench.ours TASK FOLDER` prints one line of JSON."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from evals.bench.report import print_result, repeat, since_process_start

__all__ = ["main"]


def main(task: str, folder: Path) -> None:
    """Does one task."""
    started = time.perf_counter()
    if task == "prepare":
        import qa

        qa.open(settings=qa.IndexSettings.resolve(home=folder)).close()
        print_result(seconds=time.perf_counter() - started)
    elif task == "first answer":
        import qa
        from evals.bench.corpus import QUESTIONS

        with qa.open(settings=qa.IndexSettings.resolve(home=folder)) as bot:
            bot.ask(QUESTIONS[0])
            print_result(seconds=since_process_start())
    elif task == "warm question":
        import qa
        from evals.bench.corpus import QUESTIONS

        with qa.open(settings=qa.IndexSettings.resolve(home=folder)) as bot:
            print_result(seconds=repeat(bot.ask, QUESTIONS))
    elif task == "reading":
        import qa
        from evals.bench.corpus import QUESTIONS

        with qa.open(settings=qa.IndexSettings.resolve(home=folder)) as bot:
            traces = [bot.ask(question).trace for question in QUESTIONS * 11]
            # The first round is not counted.
            times = [trace.seconds["read"] for trace in traces[len(QUESTIONS) :] if trace.seconds]
            print_result(seconds=statistics.median(times))
    elif task in ("chat listens", "chat ready"):
        from app.serve import Server, ServeSettings
        from index.settings import IndexSettings

        with Server(ServeSettings(port=0), IndexSettings.resolve(home=folder)) as server:
            if task == "chat ready":
                server.opening.bot()
            print_result(seconds=since_process_start())
    elif task in ("embed sentences", "embed chunks"):
        _embed(task)
    elif task == "index":
        import qa
        from evals.bench.corpus import megabyte

        text = folder / "megabyte.txt"
        text.write_text(megabyte(), encoding="utf-8")
        started = time.perf_counter()
        qa.open(text, settings=qa.IndexSettings.resolve(home=folder)).close()
        print_result(seconds=time.perf_counter() - started)


def _embed(task: str) -> None:
    from evals.bench.chunks import chunks
    from evals.bench.corpus import megabyte
    from index.chunk import PassageParser
    from index.embed import load_embedder
    from index.load import load_text
    from index.progress import Listener
    from index.settings import IndexSettings

    embedder = load_embedder(IndexSettings.resolve(), Listener())
    if task == "embed chunks":
        texts = chunks(megabyte())
    else:
        document = load_text(megabyte())
        layout = PassageParser(max_tokens=embedder.max_tokens, count_tokens=embedder.count_tokens).parse(document)
        texts = [document.text[sentence.start : sentence.end] for sentence in layout.outline.sentences]
    embedder.encode(texts[:64], Listener())
    started = time.perf_counter()
    embedder.encode(texts, Listener())
    print_result(seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
