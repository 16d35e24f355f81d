# The media node. From the checkout's root: docker build -f deploy/docker/node.Dockerfile -t bedside-node .

FROM node:22.23.3-bookworm AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY protocol/package.json protocol/
COPY service/package.json service/
COPY sfu/package.json sfu/
COPY signaling/package.json signaling/
COPY sdk/package.json sdk/
COPY examples/portal/package.json examples/portal/
COPY load-tests/package.json load-tests/
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund \
      --workspace @bedside/sfu --workspace @bedside/protocol --workspace @bedside/service

# The mediasoup worker, from the npm package's sources against Debian's libraries
# (docs/adr/0001-worker-build.md). The packages are those of scripts/lib/system-packages.mjs.
FROM dependencies AS worker
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libsrtp2-dev libuv1-dev libssl-dev libabsl-dev libflatbuffers-dev flatbuffers-compiler \
      meson ninja-build pkg-config g++ ccache dpkg-dev git \
 && rm -rf /var/lib/apt/lists/*
COPY scripts scripts
RUN node scripts/worker/build.mjs /out/mediasoup-worker

FROM node:22.23.3-bookworm-slim
# What the worker links to.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libsrtp2-1 libuv1 libssl3 libabsl20220623 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=worker /out/mediasoup-worker /usr/local/bin/mediasoup-worker
# Without arguments a worker that can be loaded ends with 41; a missing library ends with 127.
RUN mediasoup-worker > /dev/null 2>&1; test $? -eq 41
WORKDIR /app
ENV NODE_ENV=production \
    MEDIASOUP_WORKER_BIN=/usr/local/bin/mediasoup-worker \
    BEDSIDE_NODE_HOST=0.0.0.0 \
    BEDSIDE_MEDIA_LISTEN_IP=0.0.0.0
COPY --from=dependencies /app/package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY protocol/package.json protocol/
COPY protocol/src protocol/src
COPY service/package.json service/
COPY service/src service/src
COPY sfu/package.json sfu/
COPY sfu/src sfu/src
USER node
# 7100 control link, 7101 health and metrics, from 7200 media: one UDP and TCP port a worker.
EXPOSE 7100 7101 7200/udp 7200/tcp
# The small young generation: see "Memory" in docs/operations.md.
CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=20", "sfu/src/main.ts"]
