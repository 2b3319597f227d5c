"""The tables of throughput.csv, in Markdown: those of docs/speed.md and that of the README.

rows: {(model, metric, implementation, backend, precision): row} of throughput.csv, whose medians are numbers.
"""

TRAINING_MACS_FACTOR = 3  # relative to inference: forward, gradients of the weights and gradients of the inputs
README_COMPARISONS = (("bare", "tensorflow", "float32"), ("tutorial", "tensorflow", "float32"),
                      ("pytorch", "torch", "float32"))


def format_ratio(rows, *key, value):
    """Return `value` relative to the median of the row `key`, or "" if there is no such row."""
    return f"{value / rows[key]['median']:.2f}" if key in rows else ""


def format_markdown_table(rows):
    """Return the lines of the complete table: images per second of zoo, and its speed relative to the others."""
    lines = ["| model, batch size | task | backend, precision | zoo, images/s (min to max) | relative to bare step | "
             "relative to tutorial | relative to PyTorch | fraction of peak |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for (model, metric, implementation, backend, precision), row in rows.items():
        if implementation == "zoo" and metric == "left out":
            lines.append(f"| {model}, {row['batch_size']} | | {backend}, {precision} | left out: {format_reason(row)} "
                         "| | | | |")
        if implementation != "zoo" or metric not in ("training", "inference"):
            continue
        speed = row["median"]
        bare = format_ratio(rows, model, metric, "bare", backend, precision, value=speed)
        tutorial = format_ratio(rows, model, metric, "tutorial", "tensorflow", "float32", value=speed)
        pytorch = format_ratio(rows, model, metric, "pytorch", "torch", precision, value=speed)
        macs = speed * int(row["multiply_adds"]) * (TRAINING_MACS_FACTOR if metric == "training" else 1)
        fraction_of_peak = macs / 1e9 / float(rows["", "peak", "matmul", "torch", precision]["max"])
        lines.append(f"| {model}, {row['batch_size']} | {metric} | {backend}, {precision} | {speed:,.0f} "
                     f"({float(row['min']):,.0f} to {float(row['max']):,.0f}) | {bare} | {tutorial} | {pytorch} | "
                     f"{fraction_of_peak:.0%} |")
    return lines


def format_reason(row):
    """Return why the implementation of a row was left out."""
    if row["unit"] == "s/step":
        return f"too slow, {row['median']:.3g} s per step"
    return f"two steps took longer than {row['median']:.3g} s"


def format_startup_table(rows):
    """Return the lines of the table of startup times."""
    lines = ["| startup | seconds |", "| --- | ---: |"]
    for (model, metric, implementation, backend, precision), row in rows.items():
        seconds = row["median"]
        if metric == "startup" and implementation != "python alone":
            lines.append(f"| `{implementation}` | {seconds:.2f} |")
        if implementation == "zoo.build":
            ratio = format_ratio(rows, model, metric, "keras.applications", backend, precision, value=seconds)
            lines.append(f"| `zoo.build(\"{model}\")`; relative to `keras.applications` | {seconds:.2f}; {ratio} |")
    for (model, metric, *implementation), row in rows.items():
        if metric == "first round":
            _, backend, precision = implementation
            memory = rows[model, "memory", *implementation]["median"]
            lines.append(f"| {model}, {backend}, {precision}: from process start to the end of the first round; "
                         f"peak memory | {row['median']:.1f}; {memory:,.0f} MiB |")
    return lines


def format_readme_table(rows):
    """Return the lines of the README's table: training in float32 on TensorFlow."""
    lines = ["| model | batch size | images/s | relative to the bare step | relative to a tutorial's `fit` | "
             "relative to eager PyTorch |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for (model, metric, *implementation), row in rows.items():
        if metric == "training" and implementation == ["zoo", "tensorflow", "float32"]:
            ratios = " | ".join(format_ratio(rows, model, metric, *other, value=row["median"])
                                for other in README_COMPARISONS)
            lines.append(f"| {model} | {row['batch_size']} | {row['median']:,.0f} | {ratios} |")
    return lines
