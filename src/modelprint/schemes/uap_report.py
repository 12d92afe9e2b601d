"""What tables and reports show of UAP: its figures as published, and the words for those of crafting."""

from __future__ import annotations

from modelprint.core.quantities import Quantity
from modelprint.schemes.published import Overall, Published

PUBLISHED = Published(
    name="UAP",
    overall={
        "CIFAR-10": Overall(tpr_at_1=0.76, tpr_at_10=0.78, auc=0.91),
        "CIFAR-100": Overall(tpr_at_1=0.77, tpr_at_10=0.83, auc=0.92),
        "ImageNet": Overall(tpr_at_1=0.46, tpr_at_10=0.56, auc=0.85),
    },
    detection={
        "FTLL": 0.958,
        "FTAL": 0.954,
        "RTLL": 0.944,
        "RTAL": 0.719,
        "prune 20 %": 0.946,
        "prune 40 %": 0.934,
        "prune 80 %": 0.634,
        "adversarial .001": 0.513,
        "adversarial .01": 0.348,
        "adversarial .1": 0.402,
        "independent SAST": 0.412,
        "independent SADT": 0.382,
        "independent DAST": 0.323,
        "independent DADT": 0.313,
    },
    f1={
        "PRADA": {"CIFAR-100": 0.85, "ImageNet": 0.72},
        "Knockoff": {"CIFAR-100": 0.87, "ImageNet": 0.75},
        "HL": {"CIFAR-100": 0.51, "ImageNet": 0.44},
    },
)

CRAFTING: tuple[Quantity, ...] = (
    Quantity(key="points", title="Points of a view"),
    Quantity(key="views", title="Views"),
    Quantity(
        key="epsilon", title="Largest change of {input_parts} as models take them (of texts: share of the longest)"
    ),
    Quantity(key="fooling_rate", title="Held-out {input_names} whose class the change alters", form="share"),
    Quantity(key="share_added", title="Share of a changed text that is the trigger", form="share"),
    Quantity(key="share_cut", title="Share of a text that is cut off to make room", form="share"),
    Quantity(key="bits_before", title="Surprise of the {input_names}, in bits a byte (trigrams of the seeds)"),
    Quantity(key="bits_after", title="Surprise of the {input_names} with the trigger, in bits a byte"),
)
