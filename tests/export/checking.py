"""Run without forger: what the exported files in a folder make of the inputs beside them, against what torch made.

The largest differences are printed as JSON, by file; inputs and wanted outputs lie in NAME.0.npz, NAME.1.npz, …
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

assert "forger" not in sys.modules

found = {}
for file in sorted(Path(sys.argv[1]).glob("*.*")):
    if file.suffix not in (".onnx", ".pt2"):
        continue
    session = network = None
    if file.suffix == ".onnx":
        session = onnxruntime.InferenceSession(file)
    else:
        network = torch.export.load(file).module()
    for call in sorted(file.parent.glob(f"{file.stem}.*.npz")):
        given = dict(np.load(call))
        wanted = [given.pop(name) for name in sorted(given) if name.startswith("output")]
        if session is not None:
            made = session.run(None, given)
        else:
            answer = network(*(torch.from_numpy(given[name]) for name in given))
            made = [part.numpy() for part in (answer if isinstance(answer, tuple) else (answer,))]
        for got, want in zip(made, wanted, strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype), (file.name, got.shape, want.shape)
            found[file.name] = max(found.get(file.name, 0.0), float(np.abs(got - want).max()))

assert "forger" not in sys.modules
print(json.dumps(found))
