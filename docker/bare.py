#!/usr/bin/env python3
"""Run the Dockerfile's steps, then `make run` and `make test`, each in a fresh
Debian 12 folder made by debootstrap, without a container engine.

Packages come from the mirror that this machine's own apt uses.
"""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


def say(*words):
    print("bare:", *words, flush=True)


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


class Bare:
    def __init__(self, folder):
        self.folder, self.base = folder, os.path.join(folder, "base")
        self.mounted = []

    def make_base(self):
        targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)"],
                                 capture_output=True, text=True, check=True).stdout.split("\n")
        mirror = next(t.split()[0] for t in targets if t.endswith(" bookworm main"))
        say("debootstrap")
        run("debootstrap", "--variant=minbase", "bookworm", self.base, mirror, stdout=subprocess.DEVNULL)
        for path in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(path, self.base + path)
        for path in glob.glob("/etc/apt/apt.conf.d/*"):
            with open(path, errors="replace") as f:
                if "Acquire" in f.read():
                    shutil.copy(path, self.base + path)
        with open(self.base + "/etc/apt/sources.list", "w") as f:
            f.write(f"deb {mirror} bookworm main\n")

    def copy_of_base(self, name):
        root = os.path.join(self.folder, name)
        run("cp", "-a", self.base, root)
        for path, kind in (("/proc", "proc"), ("/dev", "bind")):
            if kind == "bind":
                run("mount", "--rbind", path, root + path)
                run("mount", "--make-rslave", root + path)
            else:
                run("mount", "-t", kind, kind, root + path)
            self.mounted.append(root + path)
        return root

    def finish(self):
        for path in reversed(self.mounted):
            subprocess.run(["umount", "-R", "-l", path], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def in_root(root, command, user="0:0", env=None, cwd="/", **options):
    plain = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
             "LANG": "C.UTF-8", **(env or {})}
    shell = f"cd {shlex.quote(cwd)} && {command}"
    return subprocess.run(["chroot", f"--userspec={user}", root, "/bin/sh", "-c", shell], env=plain, **options)


def source_tree(target):
    """What a clone holds, and nothing that lies about here."""
    os.makedirs(target, exist_ok=True)
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", "HEAD"], stdout=subprocess.PIPE)
    run("tar", "-x", "-C", target, stdin=archive.stdout)
    if archive.wait():
        raise SystemExit("git archive failed")


def instructions():
    with open(os.path.join(ROOT, "docker/Dockerfile")) as f:
        text = "".join(line for line in f if not line.startswith("#"))
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        if line.strip():
            word, rest = line.strip().split(None, 1)
            yield word, rest.strip()


class Image:
    def __init__(self, root):
        self.root, self.env, self.cwd, self.user = root, {}, "/", "0:0"
        self.entrypoint, self.cmd = [], []


def copy_into(image, stages, rest):
    words = rest.split()
    origin = words.pop(0)[len("--from="):] if words[0].startswith("--from=") else None
    source, target = words
    if origin:
        run("cp", "-a", stages[origin].root + source + "/.", image.root + target)
    elif source == ".":
        source_tree(image.root + target)
    else:
        raise SystemExit(f"bare: COPY {rest} is not understood")


def build_image(bare):
    stages, image = {}, None
    for number, (word, rest) in enumerate(instructions()):
        say(word, rest[:90])
        if word == "FROM":
            words = rest.split()
            if not words[0].startswith("debian:12"):
                raise SystemExit(f"bare: FROM {rest} is not Debian 12")
            image = Image(bare.copy_of_base(f"image{number}"))
            stages[words[2] if len(words) == 3 else str(number)] = image
        elif word == "RUN":
            done = in_root(image.root, rest, image.user, image.env, image.cwd, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"bare: RUN failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        elif word == "COPY":
            copy_into(image, stages, rest)
        elif word == "ENV":
            image.env.update(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "WORKDIR":
            image.cwd = rest
            os.makedirs(image.root + rest, exist_ok=True)
        elif word == "USER":
            image.user = rest
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "CMD":
            image.cmd = json.loads(rest)
        elif word not in ("ARG", "LABEL", "VOLUME", "STOPSIGNAL"):
            raise SystemExit(f"bare: {word} is not understood")
    return image


def prove_image(bare):
    image = build_image(bare)
    if image.user.split(":")[0] in ("0", "root"):
        raise SystemExit("bare: the image runs as root")
    shutil.copy(os.path.join(ROOT, "docker/pollard.yaml"), image.root + "/etc/pollard/pollard.yaml")
    command = [a if a != "run" else "validate" for a in image.entrypoint + image.cmd]
    done = in_root(image.root, shlex.join(command), image.user, {**image.env, "AWS_REGION": "us-east-1"}, image.cwd)
    if done.returncode:
        raise SystemExit("bare: the image's own command refuses docker/pollard.yaml")
    say("the image's steps work, and its command runs as user", image.user)


def prove_make(bare):
    root = bare.copy_of_base("machine")
    source_tree(root + "/home/pollard")
    # The README's one line, then what it promises.
    for command in ("apt-get update && apt-get install -y make", "make run DEMO_SECONDS=25", "make test"):
        say(command)
        done = in_root(root, command, cwd="/home/pollard", capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise SystemExit(f"bare: {command} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        if "run" in command.split():
            print(done.stdout[-3000:])
    say("make run and make test work on a bare Debian 12")


def main():
    bare = Bare(tempfile.mkdtemp(prefix="pollard-bare-"))
    try:
        bare.make_base()
        wanted = sys.argv[1:] or ["image", "make"]
        if "image" in wanted:
            prove_image(bare)
        if "make" in wanted:
            prove_make(bare)
    finally:
        bare.finish()


main()
