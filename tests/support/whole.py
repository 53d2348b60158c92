"""A test case with a whole pollard on the embedded server."""
import json
import os
import signal
import subprocess
import unittest

from stage import Ledger, Stage, stop, wait_until

HEAD = """version: 1
aws: {{region: us-east-1, endpoint_url: "http://127.0.0.1:{port}"}}
store: {{sqlite: {{path: "{store}"}}, checkpoint_interval: 50ms, heartbeat: 300ms, lease_duration: 3s}}
triggers:
"""


class WholePollard(unittest.TestCase):
    BUILD = None  # set by the script

    def setUp(self):
        self.stage = Stage(self.BUILD)
        self.addCleanup(lambda: self.stage.__exit__(self.failure(), None, None))
        _, self.port = self.stage.start_local()
        self.sqs, self.kinesis = self.stage.aws("sqs", self.port), self.stage.aws("kinesis", self.port)
        self.ledger = Ledger(self.stage.path("ledger"))
        self.pollard = None

    def failure(self):
        return None if self._outcome.success else AssertionError

    def handler(self, library="ledger", **settings):
        """A handler in place, as YAML; ledger by default, which counts."""
        settings = {"path": self.stage.path("ledger"), **settings}
        return json.dumps({"library": self.stage.handler(library), "isolation": "thread", "settings": settings})

    def write(self, **triggers):
        """The file: a trigger's lines by its name. Returns its path."""
        text = HEAD.format(port=self.port, store=self.stage.path("state.db"))
        for name, keys in triggers.items():
            text += f"  {name}:\n" + "".join(f"    {line}\n" for line in keys)
        return self.stage.write("pollard.yaml", text)

    def start(self, **triggers):
        self.pollard = self.stage.start_pollard(self.write(**triggers))
        self.wait_event("worker.started")

    def reload(self, **triggers):
        before = len(self.events("reload.done"))
        self.write(**triggers)
        self.pollard.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.events("reload.done")) > before, 40, "the reload is done")

    def stop(self):
        self.assertEqual(stop(self.pollard), 0)

    def kill(self):
        self.pollard.kill()
        self.pollard.wait()

    def command(self, *arguments):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret"}
        return subprocess.run([self.stage.build + "/pollard", *arguments], capture_output=True, text=True,
                              env=env, timeout=60)

    def events(self, event, **fields):
        found = self.stage.log_events("pollard", event)
        return [e for e in found if all(e.get(name) == value for name, value in fields.items())]

    def wait_event(self, event, count=1, seconds=40, **fields):
        def found():
            if self.pollard:
                self.assertIsNone(self.pollard.poll(), "pollard ended")
            return len(self.events(event, **fields)) >= count

        wait_until(found, seconds, f"{event} is logged with {fields}")
        return self.events(event, **fields)[-1]

    def counters(self, trigger):
        """What SIGUSR1 logs of it now."""
        before = len(self.events("trigger.counters", trigger=trigger))
        self.pollard.send_signal(signal.SIGUSR1)
        return self.wait_event("trigger.counters", before + 1, trigger=trigger)

    def wait_handled(self, trigger, bodies, seconds=60):
        wait_until(lambda: set(self.ledger.data(trigger)) >= set(bodies), seconds, f"{trigger} handled {bodies}")
