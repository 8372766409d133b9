#!/usr/bin/env bash
# From nothing to a trained GAN: installs into .venv, then trains the default experiment.
# Arguments are handed on: ./scripts/quickstart.sh seed=1
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec forger train "$@"
