# SPDX-License-Identifier: GPL-2.0
#
# What the verbs share: where things are, how they speak, and a kernel build
# environment in which the same source always gives the same objects.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BASE=${BASE:-linux-6.1.y}
QUEUE=$ROOT/$BASE
BUILD=$ROOT/build
TREE=$BUILD/$BASE
export LC_ALL=C
shopt -s inherit_errexit

# A jobserver or variables of an outer make are no business of kernel builds,
# and an outer git (a hook, say) must not redirect ours.
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars 2>/dev/null)

# Build folders are direct subfolders of the trees, so paths are relative and
# ccache serves the patched tree, the base and other clones alike.
export CCACHE_NOHASHDIR=1 LOCALVERSION='' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP=2023-01-01 KBUILD_BUILD_USER=kbuild KBUILD_BUILD_HOST=kbuild

# Commits in the tree need a committer even where git was never configured.
if [ -z "$(git config user.email || true)" ]; then
	export GIT_COMMITTER_NAME=queue GIT_COMMITTER_EMAIL=queue@localhost
	export GIT_AUTHOR_NAME=queue GIT_AUTHOR_EMAIL=queue@localhost
fi

say() { echo "==> $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }

[ -f "$QUEUE/BASE" ] || die "there is no queue '$BASE'; BASE= one of:" \
	"$(cd "$ROOT" && for f in */BASE; do echo "${f%/BASE}"; done | xargs)"
# shellcheck source=/dev/null
. "$QUEUE/BASE"
mkdir -p "$BUILD/log" "${TREE%/*}"

in_tree() { git -C "$TREE" "$@"; }

# Topic branches of the tree, bottom first: the order of the queue's folders.
topics() { in_tree for-each-ref --format='%(refname:short)' 'refs/heads/[0-9]*-*'; }

# One hash for all patches of the queue, names and contents.
queue_stamp() { (cd "$QUEUE" && shopt -s nullglob && sha256sum /dev/null [0-9]*-*/*.patch) | sha256sum | cut -d' ' -f1; }

# One hash for where HEAD and the topic branches of the tree are.
tree_stamp() { in_tree for-each-ref --format='%(refname) %(objectname)' 'refs/heads/[0-9]*-*' | sha256sum | cut -d' ' -f1; }

# Is the tree exactly what was last applied or exported? Says why not.
tree_untouched() {
	[ "$(in_tree config queue.branches)" = "$(tree_stamp)" ] ||
		{ echo "its topic branches hold commits that were not exported"; return 1; }
	in_tree merge-base --is-ancestor HEAD "$(topics | tail -n1 | grep . || echo base)" ||
		{ echo "HEAD holds commits that are in no topic"; return 1; }
	tree_clean
}

tree_clean() {
	local dir
	for dir in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD; do
		[ ! -e "$(in_tree rev-parse --path-format=absolute --git-path $dir)" ] ||
			{ echo "a rebase, am, merge or cherry-pick is under way"; return 1; }
	done
	# Debian's kernel ignores everything at the top: look for new files without that rule.
	# What Python leaves beside kunit.py is nobody's work, and 6.1 does not ignore it.
	{ grep -vx '/\*' "$TREE/.gitignore"; echo '*.pyc'; } >"$BUILD/.exclude"
	dir=$({ in_tree status --porcelain -uno; in_tree ls-files --others --exclude-from="$BUILD/.exclude"; } | head -n1)
	[ -z "$dir" ] || { echo "it holds changes that are not committed ($dir)"; return 1; }
}

# Prints a second working tree that stands at a commit, by default at the base: base
# to build it, work to try the patches on. It is kept: a checkout takes a while.
worktree() {
	local dir=$TREE-$1 at
	at=$(in_tree rev-parse "${2:-base}^{commit}")
	[ -e "$dir/.git" ] || { say "checking out $dir"; in_tree worktree add -q --detach "$dir" "$at"; }
	git -C "$dir" am --abort 2>/dev/null || true
	git -C "$dir" checkout -q -f --detach "$at"
	git -C "$dir" clean -q -f -d
	echo "$dir"
}

# Prints a working tree with the base and the scriptable IOMMU, so that the base
# can be compared with. The patch is the queue's, and applies to both as it is.
base_mock() {
	local dir=$TREE-base-mock commit
	commit=$(in_tree log --diff-filter=A --format=%H -- drivers/iommu/mock-iommu.c)
	[ -n "$commit" ] || die "no patch of the tree adds drivers/iommu/mock-iommu.c"
	if [ ! -e "$dir/.git" ] || ! same_patch "$dir" "$commit"; then
		dir=$(worktree base-mock)
		in_tree format-patch -1 --stdout "$commit" | git -C "$dir" am -q ||
			die "the patch of the scriptable IOMMU does not apply to the base"
	fi
	echo "$dir"
}

same_patch() {
	[ "$(git -C "$1" rev-parse HEAD^)" = "$(in_tree rev-parse base)" ] &&
		git -C "$1" diff --quiet HEAD &&
		[ "$(git -C "$1" show HEAD | git patch-id --stable | cut -d' ' -f1)" = \
			"$(in_tree show "$2" | git patch-id --stable | cut -d' ' -f1)" ]
}

# Records that tree and queue say the same.
mark_synced() {
	in_tree config queue.branches "$(tree_stamp)"
	in_tree config queue.stamp "$(queue_stamp)"
}

# The branch stack as lines "topic first-parent": what each topic stands on.
stack() {
	local prev=base topic
	for topic in $(topics); do echo "$topic $prev"; prev=$topic; done
}

# What the queue is built and tested for.
architectures() { (cd "$ROOT/configs" && echo *.config | sed 's/\.config//g'); }

cross_compile() {
	case $1 in
	arm64) echo aarch64-linux-gnu- ;;
	arm) echo arm-linux-gnueabihf- ;;
	s390) echo s390x-linux-gnu- ;;
	powerpc) echo powerpc-linux-gnu- ;;
	x86_64) ;;
	*) die "no configs/$1.config; known: $(architectures)" ;;
	esac
}

# What to make for a kernel that QEMU boots.
images() {
	case $1 in
	arm64) echo Image Image.gz ;;
	arm) echo zImage ;;
	powerpc) echo vmlinux ;;
	*) echo bzImage ;;
	esac
}

# kmake TREE ARCH ARGS...: make in the tree's build folder for the architecture,
# or in KFOLDER; with KARGS, too.
kmake() {
	local tree=$1 arch=$2 cross
	shift 2
	cross=$(cross_compile "$arch")
	# shellcheck disable=SC2086
	CCACHE_BASEDIR=$tree make -C "$tree" -j"$(nproc)" ARCH="$arch" O="${KFOLDER:-.build-$arch}" \
		CROSS_COMPILE="$cross" CC="ccache ${cross}gcc" HOSTCC="ccache gcc" ${KARGS:-} "$@"
}

# kunit OUT ARCH ARGS...: the KUnit tests of the kernel in a build folder.
kunit() {
	local out=$1 arch=$2 machine=(--arch="$2")
	shift 2
	[ ! -f "$ROOT/configs/$arch.py" ] || machine=(--qemu_config="$ROOT/configs/$arch.py")
	# It sets the terminal, where there need be none.
	(cd "$out/.." && tools/testing/kunit/kunit.py exec --build_dir="$(basename "$out")" "${machine[@]}" \
		--timeout=600 "$@") </dev/null 2>&1 | grep -v '^stty:'
}

# progress LOG: copies stdin to LOG, and says now and then that it is alive.
progress() {
	local line n=0 last=$SECONDS start=$SECONDS
	while IFS= read -r line; do
		echo "$line"
		case $line in *' CC '* | *' AS '* | *' AR '* | *' LD '*) n=$((n + 1)) ;; esac
		if [ $((SECONDS - last)) -ge 25 ]; then
			last=$SECONDS
			echo "    $((SECONDS - start)) s, $n objects" >&2
		fi
	done >"$1"
}
