import {
  applyDecorators,
  Controller,
  Get,
  Header,
  Inject,
  NotFoundException,
  Param,
  Req,
} from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBody, ApiConsumes, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CONFIG, type Config } from '#libs/config';
import { Problem, type Actor } from '#libs/errors';
import { parseModelReference, ServedModels, type ModelReference } from '#libs/models';
import { mlflowDialect, PredictionsService } from '#libs/predictions';
import { Public } from '../../guards/auth.guard.js';
import { Caller } from '../../guards/caller.decorator.js';
import { ANYTHING, list, named, oneOf, record, STRING } from '../../openapi/schemas.js';
import { VERSION } from '../../version.js';
import { asked, Predicts, type PredictionRequest } from './predicts.js';

const INPUT = named('MlflowInput', {
  type: 'object',
  description:
    'Exactly one of `dataframe_split`, `dataframe_records`, `instances`, `inputs` and `data`, and optionally ' +
    '`params`. `data`, rows in the order of the model, is not MLflow’s but ours, and so are `columns` beside it: ' +
    'the split that pandas writes. In CSV the words that pandas reads as missing values are missing values, ' +
    'unless the column lists them as categories.',
  properties: {
    dataframe_split: { type: 'object' },
    dataframe_records: list({ type: 'object' }),
    instances: ANYTHING,
    inputs: ANYTHING,
    data: list(ANYTHING),
    columns: list(STRING),
    params: { type: 'object', properties: { predict_method: oneOf('predict', 'predict_proba') } },
  },
});
const PREDICTIONS = named('MlflowPredictions', record({ predictions: list(ANYTHING) }));

const Invocations = (path: string, summary: string) =>
  applyDecorators(
    Predicts(mlflowDialect, path, summary),
    ApiConsumes('application/json', 'text/csv'),
    ApiBody({ schema: INPUT }),
    ApiResponse({
      status: 200,
      description: 'One entry a row.',
      schema: PREDICTIONS,
    }),
  );

/** MLflow's scoring protocol. */
@ApiTags('mlflow')
@Controller()
export class MlflowController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ServedModels) private readonly models: ServedModels,
    @Inject(PredictionsService) private readonly predictions: PredictionsService,
  ) {}

  @Get('ping')
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  @Header('content-type', 'application/json')
  @ApiOperation({ summary: 'Whether the default model is there to be asked' })
  @ApiResponse({ status: 200, description: 'An empty line.', content: { 'application/json': {} } })
  @ApiResponse({ status: 404, description: 'It is not.' })
  ping(): string {
    if (this.models.default) return '\n';
    throw new Problem('model-not-found', 'There is no default model at the moment.');
  }

  @Get('version')
  @Public()
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiOperation({ summary: 'The version of this service; in production there is nothing here' })
  @ApiResponse({ status: 200, description: 'As text.', content: { 'text/plain': { schema: STRING } } })
  @ApiResponse({ status: 404, description: 'In production.' })
  getServerVersion(): string {
    if (this.config.isProduction) throw new NotFoundException();
    return VERSION;
  }

  @Invocations('invocations', 'Score a table with the default model, or with the one in `model`')
  @ApiQuery({ name: 'model', required: false, example: 'models:/heart-failure/Production' })
  invoke(@Req() request: PredictionRequest, @Caller() actor: Actor): Promise<string> {
    return this.predictions.predict({ ...asked(mlflowDialect, request, actor), model: modelIn(request) });
  }

  @Invocations('models/:name/invocations', 'Score a table with the served version of a model')
  invokeModel(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
  ): Promise<string> {
    return this.predictions.predict({
      ...asked(mlflowDialect, request, actor),
      model: parseModelReference(name),
    });
  }

  @Invocations('models/:name/versions/:version/invocations', 'Score a table with one version of a model')
  invokeModelVersion(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<string> {
    return this.predictions.predict({ ...asked(mlflowDialect, request, actor), model: { name, version } });
  }
}

function modelIn({ query }: PredictionRequest): ModelReference | undefined {
  const { model } = query as { model?: string | string[] };
  if (model === undefined) return undefined;
  if (typeof model === 'string') return parseModelReference(model);
  throw Problem.badRequest('The query parameter "model" must be there once.');
}
