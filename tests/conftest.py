"""For all tests: what one leaves behind in the process must not reach the next."""

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

# A shell that runs us in the background makes us, and all that tests start, ignore Ctrl-C.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests decode and extract is of no use to anybody later."""
    os.environ["FORGER_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")


@pytest.fixture(autouse=True)
def _clean_process() -> Iterator[None]:
    yield
    if "hydra.core.hydra_config" in sys.modules:
        from hydra.core.hydra_config import HydraConfig

        HydraConfig.instance().cfg = None
    if "WANDB_SERVICE" in os.environ:
        import wandb

        wandb.teardown()
