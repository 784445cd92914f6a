import { createRequire } from 'node:module';
import ort from 'onnxruntime-node';

const { version } = createRequire(import.meta.url)('#package') as { version: string };

/** What checked a model. Another version of it may come to another result. */
export const CHECKER = `Foretell ${version}, ONNX Runtime ${ort.env.versions.node}, ${process.platform}-${process.arch}`;
