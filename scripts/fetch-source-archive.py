#!/usr/bin/env python3
"""A source archive of the package index as a file, checked against its hash; nothing of it is run.

    fetch-source-archive.py NAME VERSION SHA256 FILE

`pip download` would run the archive's setup.py to learn its dependencies. Here pip's own finder says where the archive is (its configuration, mirrors
and proxies included), and its session brings the bytes.
"""

import hashlib
import os
import sys

from pip._internal.commands import create_command


def main():
    name, version, sha256, path = sys.argv[1:]
    command = create_command("download")
    with command.main_context():
        options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", f"{name}=={version}"])
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = [c.link for c in finder.find_all_candidates(name) if str(c.version) == version and not c.link.is_wheel]
        if not found:
            sys.exit(f"no source archive of {name} {version} in the package index")
        answer = session.get(found[0].url_without_fragment, stream=False)
        answer.raise_for_status()
    got = hashlib.sha256(answer.content).hexdigest()
    if got != sha256:
        sys.exit(f"{found[0].filename}: its SHA-256 is {got}, not the pinned {sha256}")
    with open(path + ".part", "wb") as file:
        file.write(answer.content)
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
