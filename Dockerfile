# Builds the same thing that `npm start` runs, in three steps that are also run without Docker:
# npm ci, npm run build, npm prune.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY deploy/without-gpu ./deploy/without-gpu
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY apps ./apps
COPY libs ./libs
COPY migrations ./migrations
RUN npm run build
# Nothing that only builds or tests, and no embedded PostgreSQL: in a container the database is a service.
RUN npm prune --omit=dev --omit=optional
# ONNX Runtime brings the binaries of five platforms, 245 MB of them for others than this one.
RUN cd node_modules/onnxruntime-node/bin/napi-v6 && \
  find . -mindepth 2 -maxdepth 2 ! -path "./$(node -p 'process.platform + "/" + process.arch')" -exec rm -r {} +

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8001
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
# Uploaded models are added to these; DATA_DIR holds what is fetched from a bucket, and the files of batches.
COPY --chown=node:node model-artifacts ./model-artifacts
RUN mkdir -p .data/batches && chown -R node:node .data
USER node
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/apps/api/src/main.js"]
