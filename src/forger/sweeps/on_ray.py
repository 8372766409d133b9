"""The workers of a sweep as actors of a Ray cluster: `launcher=ray`."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forger.config.explain import one_line
from forger.console import say
from forger.errors import ConfigError
from forger.sweeps.definition import Definition
from forger.sweeps.processes import started

#: Seconds that the cluster gets to answer at its address.
_TO_ANSWER = 10.0
#: Prefixes of the variables that are passed to the workers, whose environment is otherwise the cluster's.
_OURS = ("FORGER_", "WANDB_")
#: Seconds that a worker's actor gets to answer before it counts as never placed.
_TO_HEAR = 10.0


class WorkerActor:
    """`forger sweep worker` on a node of the cluster, as the body of an actor."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def work(self, arguments: Sequence[str], environment: Mapping[str, str], folder: str, log: str) -> int:
        """Work until every trial has ended; the worker's exit code."""
        if not Path(folder).is_dir():
            raise OSError(f"{folder} is not on {socket.gethostname()}: the nodes must share the folder of runs")
        command = [sys.executable, "-m", "forger", "sweep", "worker", *arguments]
        self._process = started(command, {**os.environ, **environment}, Path(folder, log), folder)
        while self._process.poll() is None:
            time.sleep(0.1)
        return self._process.returncode

    def stop(self) -> None:
        """Have the worker save its run and hand the trial back; called while `work` goes on."""
        while self._process is None:
            time.sleep(0.1)
        self._process.terminate()


class RayWorker:
    """An actor with the interface of a worker process."""

    def __init__(self, cluster: "Cluster", arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._ray = cluster.ray
        self._actor = cluster.new_actor()
        log = str(cluster.definition.root / "workers.txt")
        ours = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
        self._result = self._actor.work.remote(list(arguments), {**ours, **environment}, os.getcwd(), log)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The worker's exit code, -9 where it was lost with its node; None while it runs."""
        if self.returncode is None and self._ray.wait([self._result], timeout=0)[0]:
            try:
                self.returncode = int(self._ray.get(self._result))
            except self._ray.exceptions.RayActorError:
                self.returncode = -signal.SIGKILL
            except self._ray.exceptions.RayTaskError as error:
                say(f"launcher=ray: {one_line(str(error.cause), 300)}")
                self.returncode = 1
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """End the worker, whatever the signal: it saves its run and hands the trial back."""
        heard, _ = self._ray.wait([self._actor.stop.remote()], timeout=_TO_HEAR)
        if not heard:  # it never got a place
            self._ray.kill(self._actor)
            self.returncode = 128 + sig


class Cluster:
    """The connection to a Ray cluster.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, definition: Definition) -> None:
        try:
            import ray
        except ImportError:
            raise ConfigError("launcher=ray: needs Ray; pip install 'forger[ray]'") from None
        self.ray: Any = ray
        self.definition = definition
        address = definition.launcher.address or os.environ.get("RAY_ADDRESS") or "auto"
        _check_reachable(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (Exception, SystemExit) as error:  # by now it is Ray's, of whatever kind
            raise ConfigError(f"launcher=ray: no cluster at address {address} ({one_line(str(error), 300)})") from None
        on_gpu = definition.run_config.trainer.accelerator != "cpu"
        self._needs = {"CPU": definition.sweep.threads, **({"GPU": definition.sweep.gpus} if on_gpu else {})}

    def places(self, wanted: int | None) -> int:
        """How many workers to start: as many as there is room for, unless told."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        room = sum(min(int(node.get(kind, 0) // amount) for kind, amount in self._needs.items()) for node in nodes)
        if not room:
            needs = " and ".join(f"{amount} {kind}" for kind, amount in self._needs.items())
            say(f"launcher=ray: no node of the cluster has {needs} at the moment; the workers wait for one")
        return wanted or max(room, 1)

    def new_actor(self) -> Any:
        """An actor that waits for its place."""
        amounts = {"num_cpus": self._needs["CPU"], "num_gpus": self._needs.get("GPU", 0)}
        # Two methods at a time: one works, the other can stop it.
        return self.ray.remote(WorkerActor).options(**amounts, max_concurrency=2).remote()

    def close(self) -> None:
        """Leave the cluster."""
        self.ray.shutdown()


def _check_reachable(address: str) -> None:
    """Refuse an address that does not answer; Ray itself would retry for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _TO_ANSWER).close()
    except OSError as error:
        raise ConfigError(f"launcher=ray: no cluster at address {address} ({error.strerror or error})") from None
