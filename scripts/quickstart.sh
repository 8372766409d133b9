#!/usr/bin/env bash
# From nothing to a trained GAN: installs into .venv, then trains the default experiment.
# Arguments are handed on: ./scripts/quickstart.sh seed=1
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# Debian has these two sets of pictures as packages.
case "$*" in
    *fashion*) debian_packages dataset-fashion-mnist ;;
    *emoji*) debian_packages fonts-noto-color-emoji unicode-data ;;
esac
exec forger train "$@"
