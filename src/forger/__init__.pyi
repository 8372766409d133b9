from forger.api.evaluating import evaluate as evaluate
from forger.api.handle import Run as Run
from forger.api.handle import load as load
from forger.api.handle import runs as runs
from forger.api.training import train as train
from forger.errors import ConfigError as ConfigError
from forger.errors import ForgerError as ForgerError

__version__: str
