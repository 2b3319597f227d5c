"""python docs/scaling.py: the table of docs/scaling.md, what the devices exchange in each step, by arithmetic."""

from zoo.catalogue import MODELS

BYTES = 4  # of a gradient: it has its weight's type, float32, whatever the precision
DEVICES = (8, 64, 512)


def exchanged(trainable, devices):
    """Return the MB that each device sends, and receives, in a ring: 2 (N - 1) / N times the gradients."""
    return 2 * (devices - 1) / devices * BYTES * trainable / 1e6


def main():
    print("| network | trainable parameters | gradients, MB | "
          + " | ".join(f"{each} devices, MB" for each in DEVICES) + " |")
    print("| --- | ---: | ---: |" + " ---: |" * len(DEVICES))
    for spec in MODELS.values():
        trainable = spec.parameters[1]
        sent = " | ".join(f"{exchanged(trainable, each):,.1f}" for each in DEVICES)
        print(f"| {spec.name} | {trainable:,} | {BYTES * trainable / 1e6:,.1f} | {sent} |")


if __name__ == "__main__":
    main()
