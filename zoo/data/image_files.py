"""The image files below a folder, and a count of what lies there besides. Nothing is opened."""

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data import image_formats
from zoo.errors import UserError
from zoo.utils.io import describe_kind, legible

# What systems and programs leave in folders, in lower case.
SYSTEM_FOLDERS = frozenset(("__macosx", "@eadir", "#recycle", "#snapshot", "__pycache__", "$recycle.bin",
                            "system volume information", "lost+found"))
SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
RUN_FILE = "run.json"  # a folder that holds it is a run directory, whose images are plots
SHOWN = 3  # names in a note


@dataclass
class Skipped:
    """What a walk passes over: paths of folders, endings of files, files that are no regular ones."""

    folders: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    links: list = field(default_factory=list)
    endings: Counter = field(default_factory=Counter)
    special: list = field(default_factory=list)

    def notes(self):
        """Return the lines that say so."""
        lines = []
        if self.folders:
            lines.append(f"passed over: hidden and system folders: {shorten(self.folders)}")
        if self.runs:
            lines.append(f"passed over: run directories: {shorten(self.runs)}")
        if self.links:
            lines.append(f"passed over: links to folders, which are not followed: {shorten(self.links)}")
        if self.endings:
            lines.append(f"passed over: {describe_endings(self.endings)}")
        if self.special:
            lines.append(f"passed over: no regular files: {shorten(self.special)}")
        return tuple(lines)


def shorten(names):
    """Return names, separated by commas; of many the first few, and how many more."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(map(legible, names[:SHOWN])) + more


def describe_endings(endings):
    """Return words for a Counter of the endings of files that are not read."""
    counts = [f"{count:,} {legible(ending) or 'without an ending'}" for ending, count in endings.most_common(SHOWN)]
    others = sum(endings.values()) - sum(count for _, count in endings.most_common(SHOWN))
    counts += [f"{others:,} others"] if others else []
    count = sum(endings.values())
    plugins = sorted({plugin for ending in endings if (plugin := image_formats.find_plugin(ending))})
    hint = f"; pip install {plugins[0]} for those of phones" if plugins else ""
    return (f"{count:,} {'file' if count == 1 else 'files'} that by {'its' if count == 1 else 'their'} ending "
            f"{'is no image' if count == 1 else 'are no images'}: {', '.join(counts)}{hint}")


def walk(folder, skipped, below=""):
    """Yield the paths, below `folder`, of its images at any depth, by name; links to folders are not followed.

    What is passed over is added to `skipped`, under paths that begin with `below`.
    """
    endings = image_formats.list_endings()
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        path = below + entry.name
        if is_folder(entry):
            if not is_passed_over(entry.path, path, skipped):
                yield from (f"{entry.name}/{file}" for file in walk(entry.path, skipped, f"{path}/"))
        elif entry.is_dir():
            skipped.links.append(path)
        elif not is_junk(entry.name):
            ending = image_formats.ending_of(entry.name)
            if ending not in endings:
                skipped.endings[ending] += 1
            elif entry.is_file():
                yield entry.name
            else:
                skipped.special.append(f"{path} ({kind_of(entry.path)})")


def is_folder(entry):
    return entry.is_dir(follow_symlinks=False)


def is_junk(name):
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def is_passed_over(path, name, skipped):
    """Return whether a folder holds no images of a data set, and note down its `name` where it is so."""
    last = os.path.basename(path)
    if last.startswith(".") or last.lower() in SYSTEM_FOLDERS:
        skipped.folders.append(name)
        return True
    if os.path.lexists(os.path.join(path, RUN_FILE)):
        skipped.runs.append(name)
        return True
    return False


def kind_of(path):
    """Return words for what is no regular file."""
    try:
        return describe_kind(os.stat(path).st_mode)
    except OSError:
        return "a link to nothing" if stat.S_ISLNK(os.lstat(path).st_mode) else "unreadable"


def find(paths):
    """Return (image files that `paths` name, notes): files as they are, of folders all images at any depth, by name.

    Raises UserError for a path that is not there, and for a folder without images.
    """
    found, skipped = [], Skipped()
    for path in map(Path, paths):
        if path.is_dir():
            inside = Skipped()
            images = [path / file for file in walk(path, inside, os.path.join(path, ""))]
            if not images:
                reason = f": {'; '.join(inside.notes())}" if inside.notes() else ""
                raise UserError(f"{path} holds no images{reason}; those end in "
                                f"{', '.join(sorted(image_formats.list_endings()))}")
            found += images
            add(skipped, inside)
        elif os.path.lexists(path):
            found.append(path)
        else:
            raise UserError(f"there is no {path}; name image files, or folders of them")
    return list(dict.fromkeys(found)), skipped.notes()


def add(skipped, other):
    """Add what one walk has passed over to what others have."""
    for name, values in vars(other).items():
        if isinstance(values, Counter):
            getattr(skipped, name).update(values)
        else:
            getattr(skipped, name).extend(values)
