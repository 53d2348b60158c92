#!/usr/bin/env python3
"""The handler guide, word for word: its code is compiled with its own command
line, its YAML is run, and what it promises is looked for.
"""
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from stage import Aws, Stage, wait_until  # noqa: E402

BUILD = sys.argv.pop(1)
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
GUIDE = open(os.path.join(ROOT, "docs/handlers.md"), encoding="utf-8").read()
ORDER = '{"id": "A-17", "customer": "Ann", "cents": 1999}'


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.M | re.S)


def compile_line(name):
    return re.search(rf"^    (gcc .*-o {name}\.so .*)$", GUIDE, re.M)[1]


class Guide(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(BUILD)
        self.addCleanup(lambda: self.stage.__exit__(None, None, None))
        _, self.port = self.stage.start_local()
        self.sqs = Aws("sqs", self.port)

    def compile(self, name, text):
        self.stage.write(f"{name}.c", text)
        command = shlex.split(compile_line(name)) + ["-I" + ROOT + "/runtime/include"]
        subprocess.run(command, cwd=self.stage.folder, check=True)

    # As `run --local` would, but on a port of its own.
    def run_trigger(self, yaml, queue):
        self.url = self.sqs.create_queue(queue)
        path = self.stage.write("pollard.yaml", f'aws: {{endpoint_url: "http://127.0.0.1:{self.port}"}}\n' + yaml)
        env = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}
        return self.stage.start("pollard", [self.stage.build + "/pollard", "run", "-c", path, "--log-format", "json"],
                                env, self.stage.folder)

    def printed(self):
        with open(self.stage.path("pollard.log"), encoding="utf-8") as log:
            return log.read()

    def test_the_first_handler(self):
        self.compile("hello", blocks("c")[0])
        self.run_trigger(blocks("yaml")[0], "greetings")
        self.sqs.send_all(self.url, ["world"])
        wait_until(lambda: "hello, world\n" in self.printed(), 30, "the greeting is printed")
        wait_until(lambda: self.sqs.counts(self.url) == (0, 0, 0), 30, "the message is deleted")

    def orders(self):
        try:
            with sqlite3.connect(self.stage.path("orders.db")) as database:
                return database.execute("SELECT * FROM orders").fetchall()
        except sqlite3.OperationalError:
            return None

    def test_the_real_one(self):
        with open(os.path.join(ROOT, "handlers/orders/orders.c"), encoding="utf-8") as source:
            self.compile("orders", source.read())
        self.run_trigger(blocks("yaml")[1], "orders")
        self.sqs.send_all(self.url, [ORDER, ORDER, "not an order"])
        wait_until(lambda: self.orders() == [("A-17", "Ann", 1999)], 30, "the order is stored once")
        wait_until(lambda: self.sqs.counts(self.url) == (0, 1, 0), 30, "only the malformed one is left")

    def test_the_code_it_shows_is_the_code_there_is(self):
        with open(os.path.join(ROOT, "handlers/orders/orders.c"), encoding="utf-8") as source:
            code = source.read()
        for block in blocks("c")[1:5]:
            self.assertIn(block.strip(), code)
        window, = (block for block in blocks("c") if "window->state" in block)
        with open(os.path.join(ROOT, "handlers/tally/tally.c"), encoding="utf-8") as source:
            self.assertIn(window.strip(), source.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
