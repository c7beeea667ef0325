"""A server that speaks OpenAI's chat protocol on loopback; what it says is up to the test."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["SentencePicker", "numbered", "serving"]


def numbered(prompt):
    """Returns the numbered sentences of a prompt, and the question."""
    sentences = {int(number): text for number, text in re.findall(r"^\[(\d+)\] (.*)$", prompt, flags=re.MULTILINE)}
    return sentences, prompt.rpartition("\n\nQuestion: ")[2]


class SentencePicker:
    """Chooses the sentences that hold one of some words, as a model would that knows what is asked."""

    def __init__(self, *words, certainty=0.9, short_answer=""):
        self.words, self.certainty, self.short_answer = words, certainty, short_answer
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        sentences, _ = numbered(request["messages"][1]["content"])
        chosen = [number for number, text in sentences.items() if any(word in text for word in self.words)]
        return json.dumps({"sentences": chosen, "certainty": self.certainty, "short_answer": self.short_answer})


@contextmanager
def serving(reply):
    """Serves until left; gives the address.

    Args:
        reply: Called with each request's JSON, returns what the model says, or an HTTP status.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = reply(request | {"path": self.path, "authorization": self.headers["Authorization"]})
            status, body = 200, {"error": {"message": "no"}}
            if isinstance(said, int):
                status = said
            else:
                message = {"role": "assistant", "content": said}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                body = {
                    "id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage
                }  # fmt: skip
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
