"""Kill trainings at random moments, resume them, and compare every file with an uninterrupted run; write kills.csv.

    python benchmarks/kills.py                     200 kills; Linux and macOS
    python benchmarks/kills.py --kills 12          fewer; the same number in each setting
    python benchmarks/kills.py two ema             some settings; the rows of the others stay
    python benchmarks/kills.py --table             the table of docs/training.md

Each setting is first trained without interruption. Then runs of the same command are killed with SIGKILL, KILLS_PER_RUN
times each, and resumed with the same command, at last to the end. A kill comes after a random number of the checkpoints
that are still to be saved, none included, and a random part of the time that the next one took without interruption.
Such a run must not differ from the uninterrupted one in a single bit: all arrays of both checkpoints, history.csv, the
probabilities of the test images, result.json without its seconds and memory.
"""

import argparse
import json
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import csv_rows
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("kills.csv")
FIELDS = ("setting", "command", "runs", "kills", "before_first_checkpoint", "different", "seconds", "cpu", "versions",
          "commit")
KILLS_PER_RUN = 4
MEASURED = ("seconds", "peak_memory")  # of result.json: these differ from run to run

#          setting: words of `zoo`, but for the data of some
SETTINGS = {
    "dropout, augmentation, cosine": "train lenet5_bn --dataset digits --limit 500 --epochs 3 --augmentation "
                                     "'rotation=10 mixup=0.2'",
    "auxiliary losses": "train googlenet --width 0.0625 --dataset digits --limit 256 --epochs 2",
    "two stages": "finetune lenet5 --dataset {folder} --weights mnist --image-size 28 --two-stage --head-epochs 3 "
                  "--epochs 3",
    "EMA, mid-epoch checkpoints": "train lenet5 --dataset digits --limit 1000 --epochs 2 --set ema_momentum=0.9 "
                                  "--checkpoint-minutes 0.002 --batch-size 16",
    "plateau, early stopping": "train lenet5 --dataset digits --limit 300 --epochs 8 --lr-schedule plateau "
                               "--lr-patience 1 --early-stopping-patience 3",
    "JAX": "train lenet5 --dataset digits --limit 500 --epochs 3 --backend jax",
}
SHORT_NAMES = {name.split(",")[0].split()[0].lower(): name for name in SETTINGS}  # for the command line


def make_folder(folder):
    """Write a folder of three classes of images, and return its path."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for index, name in enumerate(("low", "middle", "high")):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(index * 60, index * 60 + 100, (28, 28), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def train(words, folder, name, kill=None):
    """Run a command of `zoo` to its end, or kill it; return (seconds at which checkpoints were saved, its seconds).

    kill: (number of saved checkpoints, seconds after the last of them). The seconds of a killed process are None.
    """
    run, saves = folder / name, []
    seen, start = list_checkpoints(run), time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", "zoo", *words, "--gpu", "none", "--output-dir", str(folder),
                                    "--name", name], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
        while process.poll() is None:
            now, checkpoints = time.monotonic() - start, list_checkpoints(run)
            saves += [now] * len(checkpoints - seen)
            seen |= checkpoints
            if kill and len(saves) >= kill[0] and now >= ([0.0, *saves][kill[0]] + kill[1]):
                process.send_signal(signal.SIGKILL)
                process.wait()
                return saves, None
            time.sleep(0.005)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"error: {shlex.join(words)} --name {name} ended with status {process.returncode}:\n"
                             f"{output.read()}")
    return saves, time.monotonic() - start


def list_checkpoints(run):
    """Return {(path, time of change)} of the last checkpoints of a run and its stages."""
    checkpoints = set()
    for path in run.glob("**/last.npz"):
        try:
            checkpoints.add((path, path.stat().st_mtime_ns))
        except FileNotFoundError:  # it is being replaced
            pass
    return checkpoints


def draw_kill(rng, saves, seconds, num_saved):
    """Return a random moment (number of checkpoints, seconds after the last of them) for `train` to kill a run.

    saves, seconds: of the uninterrupted run. num_saved: the number of its checkpoints that the run has already.
    """
    count = rng.randrange(max(len(saves) - num_saved, 0) + 1)
    times = [0.0, *saves, seconds]
    if count:
        return count, rng.uniform(0, times[num_saved + count + 1] - times[num_saved + count])
    return 0, rng.uniform(0, times[1])  # the process must start again, however many there are


def read_results(run):
    """Return what two equal runs have in common, as {name: bytes}."""
    results = {"history.csv": (run / "history.csv").read_bytes()}
    for path in (*run.glob("checkpoints/*.npz"), run / "predictions.npz"):
        with np.load(path) as arrays:
            results |= {f"{path.name} {name}": arrays[name].tobytes() for name in arrays.files
                        if name != "progress/seconds"}
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    results["result.json"] = json.dumps({key: value for key, value in result.items()
                                         if not key.startswith(MEASURED)}).encode()
    for stage in run.glob("stage*/"):
        results |= {f"{stage.name} {name}": value for name, value in read_results(stage).items()} \
            if (stage / "result.json").exists() else {}
    return results


def measure_setting(setting, num_kills, seed=0):
    """Return the row of a setting, with at least `num_kills` kills."""
    rng = random.Random(f"{setting} {seed}")
    with tempfile.TemporaryDirectory() as temporary_folder:
        folder = Path(temporary_folder)
        words = shlex.split(SETTINGS[setting].format(folder=make_folder(folder / "images")))
        saves, seconds = train(words, folder, "reference")
        expected = read_results(folder / "reference")
        runs = kills = early = different = 0
        start = time.monotonic()
        while kills < num_kills:
            runs, name, num_saved = runs + 1, f"killed-{runs + 1}", 0
            for _ in range(min(KILLS_PER_RUN, num_kills - kills)):
                new_saves, ended = train(words, folder, name, draw_kill(rng, saves, seconds, num_saved))
                if ended:  # before the moment came
                    break
                kills, num_saved = kills + 1, num_saved + len(new_saves)
                early += not num_saved
                print(f"\r{setting}: {kills}/{num_kills} kills", end="", flush=True)
            train(words, folder, name)
            results = read_results(folder / name)
            differences = [key for key in expected.keys() | results.keys() if expected.get(key) != results.get(key)]
            different += bool(differences)
            if differences:
                print(f"\n{name} differs in {', '.join(sorted(differences)[:5])}")
        config = json.loads((folder / "reference/run.json").read_text(encoding="utf-8"))
    print(f"\r{setting}: {kills} kills, {runs} runs, {different} different, {early} before the first checkpoint")
    return {"setting": setting, "command": f"python -m zoo {SETTINGS[setting]}", "runs": runs, "kills": kills,
            "before_first_checkpoint": early, "different": different, "seconds": round(time.monotonic() - start),
            "cpu": config["cpu"], "versions": " ".join(f"{name} {text}" for name, text in config["versions"].items()),
            "commit": config["commit"]}


def format_table(rows):
    """Return the lines of the table of docs/training.md."""
    lines = ["| setting | runs | kills | before the first checkpoint | runs that differ |",
             "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {row['setting']} | {row['runs']} | {row['kills']} | {row['before_first_checkpoint']} | "
              f"{row['different']} |" for row in rows]
    totals = [sum(int(row[key]) for row in rows) for key in ("runs", "kills", "before_first_checkpoint", "different")]
    return [*lines, "| all | " + " | ".join(map(str, totals)) + " |"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("settings", nargs="*", choices=[[], *SHORT_NAMES], metavar="|".join(SHORT_NAMES),
                        help="settings to measure; default: all")
    parser.add_argument("--kills", type=int, default=200, help="number of kills over all settings; default: 200")
    parser.add_argument("--table", action="store_true", help="print the table of docs/training.md")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(format_table(csv_rows.read_rows(CSV_PATH))))
        return 0
    settings = [SHORT_NAMES[name] for name in arguments.settings] or [*SETTINGS]
    for setting in settings:
        row = measure_setting(setting, -(-arguments.kills // len(settings)))
        rows = {each["setting"]: each for each in csv_rows.read_rows(CSV_PATH)} | {setting: row}
        csv_rows.write_rows(CSV_PATH, FIELDS, [rows[name] for name in SETTINGS if name in rows])
    return 1 if any(int(row["different"]) for row in csv_rows.read_rows(CSV_PATH)) else 0


if __name__ == "__main__":
    sys.exit(main())
