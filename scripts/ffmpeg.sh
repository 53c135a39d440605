#!/usr/bin/env bash
# Builds the FFmpeg that the Python wheel and the npm package carry: from Debian's source package, LGPL 2.1 or later
# (no --enable-gpl, no --enable-nonfree), shared libraries only, with what reading and writing videos of people needs.
# Debian's own FFmpeg is a GPL build, which would make the packages GPL. Same source, hence the same headers and binary
# interface: what was linked against Debian's runs with this one.
#
#   scripts/ffmpeg.sh
#
#   FACEREC_HOME   where to put it, as `ffmpeg` (default: .facerec in the repository). A second run does nothing.
#
# H.264 is written by libopenh264 (BSD), AV1 read by libdav1d (BSD): both lie beside FFmpeg's libraries, from Debian.
# No TLS: `https://` and `rtsps://` cameras need a build of one's own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${FACEREC_HOME:-$root/.facerec}
prefix=$(mkdir -p "$home" && cd "$home" && pwd)/ffmpeg

decoders=h264,hevc,vp8,vp9,libdav1d,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4v3,h263,flv,vc1,wmv1,wmv2,wmv3
decoders+=,mjpeg,gif,png,apng,theora,prores,dnxhd,ffv1,rawvideo
demuxers=mov,matroska,avi,mpegts,mpegps,mpegvideo,flv,asf,ogg,ivf,gif,apng,h264,hevc,m4v,mjpeg,mpjpeg,yuv4mpegpipe,rtsp,rtp,sdp,hls
# Those of sound only tell FFmpeg what it can skip.
parsers=h264,hevc,vp8,vp9,av1,mpegvideo,mpeg4video,mjpeg,gif,png,h263,vc1,dnxhd,aac,ac3,mpegaudio,opus,vorbis
protocols=file,data,tcp,udp,rtp,http,rtmp

flags=(
  --disable-everything --disable-autodetect --disable-programs --disable-doc --disable-debug --disable-static --enable-shared
  --enable-zlib --enable-libopenh264 --enable-libdav1d
  --enable-decoder="$decoders" --enable-demuxer="$demuxers" --enable-parser="$parsers" --enable-protocol="$protocols"
  --enable-encoder=libopenh264 --enable-muxer=mp4 --enable-indev=v4l2
  --enable-bsf=h264_mp4toannexb,hevc_mp4toannexb,vp9_superframe_split,extract_extradata,mpeg4_unpack_bframes,null
)

say() { echo "ffmpeg: $*"; }
fail() { echo "ffmpeg: $*" >&2; exit 1; }

wanted="$(dpkg-query -W -f '${Version}' libavcodec-dev 2>/dev/null || true) ${flags[*]}"
if [ -e "$prefix/built" ] && [ "$(cat "$prefix/built")" = "$wanted" ]; then
  say "ready in $prefix"
  exit
fi

command -v apt-get >/dev/null || fail "not a Debian system: build FFmpeg yourself with these flags into $prefix: ${flags[*]}"
missing=()
for package in dpkg-dev nasm patchelf zlib1g-dev libdav1d-dev libopenh264-dev libavcodec-dev; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
version=$(dpkg-query -W -f '${Version}' libavcodec-dev)
wanted="$version ${flags[*]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Package lists of our own: the system's are left as they are.
mkdir -p "$work/lists/partial" "$work/sources"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ -e "$list" ] || continue
  sed -e 's/^Types:.*/Types: deb-src/' -e 's/^deb /deb-src /' "$list" >"$work/sources/${list##*/}"
done
apt=(apt-get -qq -o "Dir::State::Lists=$work/lists" -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/sources"
  -o APT::Sandbox::User=root)
say "fetching the source of FFmpeg $version"
"${apt[@]}" update
(cd "$work" && "${apt[@]}" source "ffmpeg=$version" >/dev/null 2>&1) || fail "the source of ffmpeg $version is not to be had: run apt-get upgrade"
source=$(find "$work" -maxdepth 1 -type d -name 'ffmpeg-*')

say "building"
cd "$source"
./configure --prefix="$prefix.new" "${flags[@]}" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "configure failed"; }
grep -q '^License: LGPL version 2.1 or later' "$work/log" || fail "this would not be an LGPL build"
make -j"$(nproc)" >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "make failed"; }
rm -rf "$prefix.new"
make install >>"$work/log" 2>&1

# One folder that needs nothing else, wherever it is moved.
for library in libdav1d libopenh264; do
  cp -L "$(ldconfig -p | awk -v name="$library.so." 'index($1, name) == 1 {print $NF; exit}')" "$work/"
done
for library in "$work"/lib*.so.*; do
  cp "$library" "$prefix.new/lib/$(patchelf --print-soname "$library")"
done
find "$prefix.new/lib" -name '*.so*' -type f -exec patchelf --set-rpath '$ORIGIN' {} +
sed -i "s|$prefix.new|\${pcfiledir}/../..|" "$prefix.new"/lib/pkgconfig/*.pc

# What the licence asks to be passed on: its text, and what was built from what.
mkdir -p "$prefix.new/licences"
cp COPYING.LGPLv2.1 "$prefix.new/licences/FFmpeg-LGPL-2.1.txt"
cp /usr/share/doc/libdav1d-dev/copyright "$prefix.new/licences/dav1d.txt"
cp /usr/share/doc/libopenh264-dev/copyright "$prefix.new/licences/openh264.txt"
{
  echo "FFmpeg $version, Debian's source package \`ffmpeg\` unchanged, under the LGPL 2.1 or later. Built by scripts/ffmpeg.sh with:"
  printf '  %s\n' "${flags[@]}"
} >"$prefix.new/licences/FFmpeg.txt"

echo "$wanted" >"$prefix.new/built"
rm -rf "$prefix"
mv "$prefix.new" "$prefix"
say "ready in $prefix"
