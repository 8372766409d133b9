"""The moving average of weights as plain PyTorch: what `MovingAverage` must equal, and its readable version."""


def follow(average, network, decay, step):
    """w̄ ← d·w̄ + (1 − d)·w with d = min(decay, (1 + step) / (10 + step)); counts are copied. None follows nobody."""
    if average is None:
        return
    d = min(decay, (1 + step) / (10 + step))
    pairs = zip([*average.parameters(), *average.buffers()], [*network.parameters(), *network.buffers()], strict=True)
    for mean, value in pairs:
        mean.data.lerp_(value.data, 1 - d) if mean.is_floating_point() else mean.data.copy_(value)
