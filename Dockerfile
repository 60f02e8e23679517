# speid on CPUs, with bedtools:
#   docker build --build-arg TORCH_INDEX=INDEX -t speid .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" speid prepare pairs.bedpe hg19.fa
# INDEX is the package index of the CPU builds of PyTorch, which pytorch.org names. Without it the image
# has the build that pip installs by itself, which on x86-64 is that for CUDA, and 4 GB larger.

FROM python:3.12-slim AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN SPEID_REQUIRE_NATIVE=1 pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG TORCH_INDEX=""
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends bedtools && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/constraints.txt /wheels/ /wheels/
RUN pip install --no-cache-dir --constraint /wheels/constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
    && pip install --no-cache-dir --constraint /wheels/constraints.txt "$(ls /wheels/*.whl)[jaspar,explain]" \
    && rm -r /wheels \
    && useradd --uid 1000 --create-home speid
# Any user may run it: matplotlib keeps its fonts where all can write.
ENV MPLCONFIGDIR=/tmp
USER 1000
WORKDIR /data
ENTRYPOINT ["speid"]
CMD ["--help"]
