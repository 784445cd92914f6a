import { createRequire } from 'node:module';
import ort from 'onnxruntime-node';

const { version } = createRequire(import.meta.url)('#package') as { version: string };

/** What found a model to be as it is: with another of these it may be otherwise. */
export const CHECKER = `Foretell ${version}, ONNX Runtime ${ort.env.versions.node}, ${process.platform}-${process.arch}`;
