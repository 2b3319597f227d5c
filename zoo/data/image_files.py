"""The image files below a folder, and a count of what lies there besides. Nothing is opened."""

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data import image_formats
from zoo.errors import UserError
from zoo.utils.io import describe_file_kind, replace_surrogates

# What systems and programs leave in folders, in lower case.
SYSTEM_FOLDERS = frozenset(("__macosx", "@eadir", "#recycle", "#snapshot", "__pycache__", "$recycle.bin",
                            "system volume information", "lost+found"))
SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
RUN_FILE = "run.json"  # a folder that holds it is a run directory, whose images are plots
MAX_ENTRIES_SHOWN = 3  # names in a note


@dataclass
class SkippedEntries:
    """What a walk passes over: paths of folders, endings of files, files that are no regular ones."""

    folders: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    links: list = field(default_factory=list)
    extensions: Counter = field(default_factory=Counter)
    special: list = field(default_factory=list)

    def format_notes(self):
        """Return the lines that say so."""
        lines = []
        if self.folders:
            lines.append(f"passed over: hidden and system folders: {format_names(self.folders)}")
        if self.runs:
            lines.append(f"passed over: run directories: {format_names(self.runs)}")
        if self.links:
            lines.append(f"passed over: links to folders, which are not followed: {format_names(self.links)}")
        if self.extensions:
            lines.append(f"passed over: {describe_extensions(self.extensions)}")
        if self.special:
            lines.append(f"passed over: no regular files: {format_names(self.special)}")
        return tuple(lines)


def format_names(names):
    """Return names, separated by commas; of many the first few, and how many more."""
    more = f" and {len(names) - MAX_ENTRIES_SHOWN:,} more" if len(names) > MAX_ENTRIES_SHOWN else ""
    return ", ".join(map(replace_surrogates, names[:MAX_ENTRIES_SHOWN])) + more


def describe_extensions(extensions):
    """Return words for a Counter of the endings of files that are not read."""
    counts = [f"{count:,} {replace_surrogates(ending) or 'without an ending'}" for ending,
              count in extensions.most_common(MAX_ENTRIES_SHOWN)]
    others = sum(extensions.values()) - sum(count for _, count in extensions.most_common(MAX_ENTRIES_SHOWN))
    counts += [f"{others:,} others"] if others else []
    count = sum(extensions.values())
    plugins = sorted({plugin for ending in extensions if (plugin := image_formats.find_plugin(ending))})
    hint = f"; pip install {plugins[0]} for those of phones" if plugins else ""
    return (f"{count:,} {'file' if count == 1 else 'files'} that by {'its' if count == 1 else 'their'} ending "
            f"{'is no image' if count == 1 else 'are no images'}: {', '.join(counts)}{hint}")


def walk_images(folder, skipped, prefix=""):
    """Yield the paths, below `folder`, of its images at any depth, by name; links to folders are not followed.

    What is passed over is added to `skipped`, under paths that begin with `below`.
    """
    endings = image_formats.list_image_extensions()
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if is_folder(entry):
            if not is_skipped_folder(entry.path, path, skipped):
                yield from (f"{entry.name}/{file}" for file in walk_images(entry.path, skipped, f"{path}/"))
        elif entry.is_dir():
            skipped.links.append(path)
        elif not is_junk_file(entry.name):
            ending = image_formats.get_extension(entry.name)
            if ending not in endings:
                skipped.extensions[ending] += 1
            elif entry.is_file():
                yield entry.name
            else:
                skipped.special.append(f"{path} ({describe_special_file(entry.path)})")


def is_folder(entry):
    return entry.is_dir(follow_symlinks=False)


def is_junk_file(name):
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def is_skipped_folder(path, name, skipped):
    """Return whether a folder holds no images of a data set, and note down its `name` where it is so."""
    last = os.path.basename(path)
    if last.startswith(".") or last.lower() in SYSTEM_FOLDERS:
        skipped.folders.append(name)
        return True
    if os.path.lexists(os.path.join(path, RUN_FILE)):
        skipped.runs.append(name)
        return True
    return False


def describe_special_file(path):
    """Return words for what is no regular file."""
    try:
        return describe_file_kind(os.stat(path).st_mode)
    except OSError:
        return "a link to nothing" if stat.S_ISLNK(os.lstat(path).st_mode) else "unreadable"


def find_image_files(paths):
    """Return (image files that `paths` name, notes): files as they are, of folders all images at any depth, by name.

    Raises UserError for a path that is not there, and for a folder without images.
    """
    found, skipped = [], SkippedEntries()
    for path in map(Path, paths):
        if path.is_dir():
            inside = SkippedEntries()
            images = [path / file for file in walk_images(path, inside, os.path.join(path, ""))]
            if not images:
                reason = f": {'; '.join(inside.format_notes())}" if inside.format_notes() else ""
                raise UserError(f"{path} holds no images{reason}; those end in "
                                f"{', '.join(sorted(image_formats.list_image_extensions()))}")
            found += images
            merge_skipped(skipped, inside)
        elif os.path.lexists(path):
            found.append(path)
        else:
            raise UserError(f"there is no {path}; name image files, or folders of them")
    return list(dict.fromkeys(found)), skipped.format_notes()


def merge_skipped(skipped, other):
    """Add what one walk has passed over to what others have."""
    for name, values in vars(other).items():
        if isinstance(values, Counter):
            getattr(skipped, name).update(values)
        else:
            getattr(skipped, name).extend(values)
