"""Alarms of the watch as text: what was seen, why it happens, what to try."""

from collections.abc import Mapping
from typing import Any

from forger.report.verdict import number


def as_text(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm for the page; missing or malformed parts are left out."""
    images, confidence, evidence = (alarm.get(key) for key in ("images", "confidence", "evidence"))
    return {
        "alarm": str(alarm.get("alarm") or "alarm"),
        "confidence": float(confidence) if isinstance(confidence, int | float) else None,
        "images": images if isinstance(images, int | float) else None,
        "evidence": _evidence(evidence) if isinstance(evidence, Mapping) else "",
        "why": str(alarm.get("why") or ""),
        "remedy": str(alarm.get("remedy") or ""),
    }


def _evidence(evidence: Mapping[str, Any]) -> str:
    """``vendi_ratio 0.203 < 0.6, at 3 checks in a row``."""
    signals = evidence.get("signals")
    parts = [_sign(str(name), sign) for name, sign in signals.items()] if isinstance(signals, Mapping) else []
    if parts and isinstance(checks := evidence.get("checks"), int):
        parts.append(f"at {checks} checks in a row")
    return ", ".join(parts or (f"{key} {_value(value)}" for key, value in evidence.items()))


def _sign(name: str, sign: Any) -> str:
    if not isinstance(sign, Mapping):
        return f"{name} {_value(sign)}"
    limits = [f"{mark} {_value(sign[key])}" for key, mark in (("below", "<"), ("above", ">")) if key in sign]
    return " ".join([name, _value(sign.get("value")), *limits])


def _value(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        shown = number(value)
        return shown.rstrip("0").rstrip(".") if "." in shown and "e" not in shown else shown
    return str(value)
