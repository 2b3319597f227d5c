"""Listing the files below a folder that are samples, images or texts, and the entries that are ignored.

No file is opened. Which files are samples is determined by their extension and the Modality.
"""

import contextlib
import os
import stat
from collections import Counter
from dataclasses import dataclass, field

from zoo.data import image_formats
from zoo.errors import UserError
from zoo.modality import MODALITIES
from zoo.utils.io import describe_file_kind, expand_user, replace_surrogates

# Files and folders that operating systems and programs create, in lower case.
SYSTEM_FOLDERS = frozenset(("__macosx", "@eadir", "#recycle", "#snapshot", "__pycache__", "$recycle.bin",
                            "system volume information", "lost+found"))
SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
RUN_FILE = "run.json"  # a folder that contains it is a run directory, whose images are plots
MAX_ENTRIES_SHOWN = 3  # names in a note


@dataclass
class SkippedEntries:
    """The entries that a walk ignores: paths of folders, counts of file extensions, and special files."""

    folders: list = field(default_factory=list)
    runs: list = field(default_factory=list)
    links: list = field(default_factory=list)
    extensions: Counter = field(default_factory=Counter)
    special: list = field(default_factory=list)

    def format_notes(self, modality):
        """Return the notes on these entries of a folder of samples of a Modality, a tuple of lines."""
        lines = []
        if self.folders:
            lines.append(f"ignored: hidden and system folders: {format_names(self.folders)}")
        if self.runs:
            lines.append(f"ignored: run directories: {format_names(self.runs)}")
        if self.links:
            lines.append(f"ignored: links to folders, which are not followed: {format_names(self.links)}")
        if self.extensions:
            lines.append(f"ignored: {describe_extensions(self.extensions, modality)}")
        if self.special:
            lines.append(f"ignored: not regular files: {format_names(self.special)}")
        return tuple(lines)


def format_names(names):
    """Return the names, separated by commas; only the first few if there are many, and the number of the others."""
    more = f" and {len(names) - MAX_ENTRIES_SHOWN:,} more" if len(names) > MAX_ENTRIES_SHOWN else ""
    return ", ".join(map(replace_surrogates, names[:MAX_ENTRIES_SHOWN])) + more


def describe_others(extensions, links, modality):
    """Return what a folder without samples contains, ", but ...", or "": links to folders, or files of a Counter."""
    if links:
        return f", but links to folders, which are not followed: {format_names(links)}"
    return f", but {describe_extensions(extensions, modality)}" if extensions else ""


def describe_extensions(extensions, modality):
    """Return a description of a Counter of the extensions of files that are not samples of a Modality."""
    counts = [f"{count:,} {replace_surrogates(extension) or 'without an extension'}" for extension,
              count in extensions.most_common(MAX_ENTRIES_SHOWN)]
    others = sum(extensions.values()) - sum(count for _, count in extensions.most_common(MAX_ENTRIES_SHOWN))
    counts += [f"{others:,} others"] if others else []
    count = sum(extensions.values())
    plugins = sorted({plugin for extension in extensions if (plugin := image_formats.find_plugin(extension))})
    hint = f"; pip install {plugins[0]} to read phone photos" if plugins else ""
    kind = (f"extension is not that of {modality.name_with_article}" if count == 1 else
            f"extensions are not those of {modality.plural}")
    return f"{count:,} {'file' if count == 1 else 'files'} whose {kind}: {', '.join(counts)}{hint}"


def suggest_modality(extensions, modality):
    """Return a hint if files with these extensions are samples of another Modality, else ""."""
    other = next((other for other in MODALITIES.values() if other is not modality
                  and not list_extensions(other).isdisjoint(extensions)), None)
    return f", or for {other.plural} use a model such as {other.model_example}" if other else ""


def list_extensions(modality):
    """Return the file extensions, such as ".png", of samples of a Modality, a frozenset."""
    return modality.get_function("list_extensions")()


def walk_samples(folder, modality, skipped, prefix=""):
    """Yield the paths, relative to `folder`, of its samples at any depth, by name; links to folders are not followed.

    Ignored entries are added to `skipped`, with paths that begin with `prefix`.
    """
    extensions = list_extensions(modality)
    with scan_folder(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if is_folder(entry):
            if not is_skipped_folder(entry.path, path, skipped):
                yield from (f"{entry.name}/{file}"
                            for file in walk_samples(entry.path, modality, skipped, f"{path}/"))
        elif is_folder(entry, follow_links=True):
            skipped.links.append(path)
        elif not is_junk_file(entry.name):
            extension = image_formats.get_extension(entry.name)
            if extension not in extensions:
                skipped.extensions[extension] += 1
            elif is_regular_file(entry):
                yield entry.name
            else:
                skipped.special.append(f"{path} ({describe_special_file(entry.path)})")


@contextlib.contextmanager
def scan_folder(folder):
    """Yield the entries of a folder as os.scandir does; raise UserError if reading it is not permitted."""
    try:
        with os.scandir(folder) as entries:
            yield entries
    except PermissionError as error:
        raise UserError(f"the folder {error.filename or folder} cannot be read: {error.strerror}; change its "
                        "permissions, or move it elsewhere") from None


def is_folder(entry, follow_links=False):
    try:
        return entry.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link to itself
        return False


def is_regular_file(entry):
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def is_junk_file(name):
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def is_skipped_folder(path, name, skipped):
    """Return whether a folder is to be ignored, and if so add its `name` to `skipped`."""
    folder_name = os.path.basename(path)
    if folder_name.startswith(".") or folder_name.lower() in SYSTEM_FOLDERS:
        skipped.folders.append(name)
        return True
    if os.path.lexists(os.path.join(path, RUN_FILE)):
        skipped.runs.append(name)
        return True
    return False


def describe_special_file(path):
    """Return a description of a path that is not a regular file."""
    try:
        return describe_file_kind(os.stat(path).st_mode)
    except OSError:
        return "a broken link" if stat.S_ISLNK(os.lstat(path).st_mode) else "unreadable"


def find_sample_files(paths, modality):
    """Return (files, notes) of `paths`: the files themselves, and all samples of folders at any depth, by name.

    A file is listed as often as it is given, and once more only for the first of the folders that contain it, unless it
    is given itself. Raises UserError for a path that does not exist, and for a folder without samples.
    """
    paths = [*map(expand_user, paths)]
    files, skipped, listed = [], SkippedEntries(), {path for path in paths if not path.is_dir()}
    for path in paths:
        if path.is_dir():
            folder_skipped = SkippedEntries()
            samples = [path / file for file in walk_samples(path, modality, folder_skipped, os.path.join(path, ""))]
            if not samples:
                notes = folder_skipped.format_notes(modality)
                reason = f": {'; '.join(notes)}" if notes else ""
                raise UserError(f"{path} contains no {modality.plural}{reason}; supported extensions: "
                                f"{', '.join(sorted(list_extensions(modality)))}")
            files += [sample for sample in samples if sample not in listed]
            listed.update(samples)
            merge_skipped(skipped, folder_skipped)
        elif os.path.lexists(path):
            files.append(path)
        else:
            raise UserError(f"{path} does not exist; give {modality.name} files, or folders of them")
    return files, skipped.format_notes(modality)


def merge_skipped(skipped, other):
    """Add the entries of `other` to `skipped`."""
    for name, values in vars(other).items():
        if isinstance(values, Counter):
            getattr(skipped, name).update(values)
        else:
            getattr(skipped, name).extend(values)
