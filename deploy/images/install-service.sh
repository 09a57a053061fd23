#!/bin/sh
# Runs in the builder of service.Dockerfile: fills /opt/shuanglu and /extra.
#
#   install-service.sh SERVICE cpu|cuda VERSION_OF_ONNXRUNTIME_GPU
set -eu
service=$1 variant=$2 onnxruntime_gpu=$3
module=shuanglu_$(echo "$service" | tr - _)
venv=/opt/shuanglu/venv

case $variant:$service in
    cpu:* | cuda:face-check | cuda:asr) ;;
    *) echo "VARIANT is cpu, or cuda for face-check and asr; not $variant for $service" >&2; exit 2 ;;
esac
[ -d libs/protos/shuanglu ] || { echo "the code of the contracts is missing: run make setup first" >&2; exit 2; }

# Their own packages, built with the setuptools of the tools; the rest comes as wheels, so no compiler is needed.
/opt/tools/bin/pip wheel -q --no-deps --no-build-isolation -w /wheels ./libs/protos ./libs/common "./services/$service"
install() { /opt/tools/bin/pip --python "$venv/bin/python" install -q --only-binary :all: --find-links /wheels "$@"; }
# opencc is published as source only: it is pure Python.
install -c constraints.txt --no-binary opencc-python-reimplemented "shuanglu-$service"

# Of the 400 services of AWS that botocore describes, S3 is used, and STS for roles of service accounts.
for folder in "$venv"/lib/python3*/site-packages/botocore/data/*/; do
    case $(basename "$folder") in s3 | sts) ;; *) rm -r "$folder" ;; esac
done

if [ "$variant" = cuda ]; then
    case $service in
        face-check)
            /opt/tools/bin/pip --python "$venv/bin/python" uninstall -q -y onnxruntime
            install "onnxruntime-gpu[cuda,cudnn]==$onnxruntime_gpu" -c constraints.txt
            ;;
        asr) install 'nvidia-cublas-cu12>=12.4,<13' 'nvidia-cudnn-cu12>=9,<10' -c constraints.txt ;;
    esac
    mkdir -p /opt/shuanglu/cuda
    find "$venv" -path '*/nvidia/*/lib/*' -name '*.so*' -exec ln -s -t /opt/shuanglu/cuda {} +
fi

cp LICENSE NOTICE /opt/shuanglu/
printf '#!/bin/sh\n[ $# -gt 0 ] && exec "$@"\nexec python -m %s\n' "$module" >/opt/shuanglu/start
cat >/opt/shuanglu/health <<'HEALTH'
#!/opt/shuanglu/venv/bin/python
import os, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{os.environ['SHUANGLU_OPS_PORT']}/healthz", timeout=2)
HEALTH
chmod 0755 /opt/shuanglu/start /opt/shuanglu/health

mkdir -p /extra
if [ "$service" = report ]; then
    # Two fonts of the four in the package; a report is set in them.
    cd /tmp
    apt-get update -qq
    apt-get download -q fonts-noto-cjk >/dev/null
    dpkg-deb -x fonts-noto-cjk_*.deb fonts
    mkdir -p /extra/usr/share/fonts/opentype/noto /extra/usr/share/doc/fonts-noto-cjk
    cp fonts/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc \
        /extra/usr/share/fonts/opentype/noto/
    cp fonts/usr/share/doc/fonts-noto-cjk/copyright /extra/usr/share/doc/fonts-noto-cjk/
fi
