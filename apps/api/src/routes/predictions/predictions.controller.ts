import { Controller, Inject, Param, Req } from '@nestjs/common';
import { ApiBody, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Actor } from '#libs/errors';
import { parseModelReference } from '#libs/models';
import { namedDialect, plainDialect, PredictionsService } from '#libs/predictions';
import { Caller } from '../../guards/caller.decorator.js';
import { FEATURES_SCHEMA } from '../../openapi/features-schema.js';
import { refersTo } from '../../openapi/schemas.js';
import { MODEL_PREDICTIONS, PREDICTION } from './predictions.dto.js';
import { asked, Predicts, type PredictionRequest } from './predicts.js';

@ApiTags('predictions')
@Controller()
export class PredictionsController {
  constructor(@Inject(PredictionsService) private readonly predictions: PredictionsService) {}

  @Predicts(plainDialect, 'predict', 'Predict for one feature dictionary with the default model')
  @ApiBody({ schema: refersTo(FEATURES_SCHEMA) })
  @ApiResponse({ status: 200, schema: PREDICTION })
  predict(@Req() request: PredictionRequest, @Caller() actor: Actor): Promise<string> {
    return this.predictions.predict(asked(plainDialect, request, actor));
  }

  @Predicts(namedDialect, 'models/:name/predict', 'Predict with the served version of a model')
  @ApiResponse({ status: 200, schema: MODEL_PREDICTIONS })
  predictWithModel(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
  ): Promise<string> {
    return this.predictions.predict({
      ...asked(namedDialect, request, actor),
      model: parseModelReference(name),
    });
  }

  @Predicts(namedDialect, 'models/:name/versions/:version/predict', 'Predict with one version of a model')
  @ApiResponse({ status: 200, schema: MODEL_PREDICTIONS })
  predictWithModelVersion(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<string> {
    return this.predictions.predict({ ...asked(namedDialect, request, actor), model: { name, version } });
  }
}
