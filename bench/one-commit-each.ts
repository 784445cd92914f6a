/**
 * What one would build first: Nest on Express, a passport guard with the secret as a string, and a transaction of
 * its own for each prediction. The same model, the same tables, the same answer.
 */
import 'reflect-metadata';
import { Body, Controller, HttpCode, Injectable, Module, Post, Req, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { ExpressAdapter } from '@nestjs/platform-express';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { PredictionRequest, PredictionResponse } from '../libs/audit/src/index.js';
import { loadConfig } from '../libs/config/src/index.js';
import { createDataSource } from '../libs/database/src/index.js';
import { formatFloat32, Model, type ClassPrediction, type Features } from '../libs/inference/src/index.js';
import { User } from '../libs/users/src/index.js';

const config = loadConfig();
const dataSource = createDataSource({
  url: config.databaseUrl!,
  entities: [User, PredictionRequest, PredictionResponse],
});
await dataSource.initialize();
const model = await Model.load(`${config.modelDir}/heart-failure/1`);

@Injectable()
class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: config.jwtSecret!,
      algorithms: ['HS256'],
    });
  }

  async validate({ sub }: { sub: string }): Promise<User | null> {
    return dataSource.getRepository(User).findOneBy({ id: Number(sub), enabled: true });
  }
}

@Controller()
class PredictController {
  @Post('predict')
  @HttpCode(200)
  @UseGuards(AuthGuard('jwt'))
  async predict(@Body() features: Features, @Req() { user }: { user: User }): Promise<object> {
    const { row } = model.coerce(features);
    const [prediction] = await model.infer([row]);
    const { probabilities } = prediction as ClassPrediction;
    const output = { yhat_prob: formatFloat32(probabilities[1]!), yhat: probabilities[1]! > 0.5 ? '1' : '0' };
    await dataSource.transaction(async (manager) => {
      const { identifiers } = await manager.getRepository(PredictionRequest).insert({
        userId: user.id,
        input: features,
        requestUuid: crypto.randomUUID(),
        model: model.name,
        modelVersion: model.version,
        dialect: 'plain',
      });
      const requestId = identifiers[0]!.id as string;
      await manager
        .getRepository(PredictionResponse)
        .insert({ requestId, output, statusCode: 200, durationMs: 0 });
    });
    return output;
  }
}

@Module({ imports: [PassportModule], controllers: [PredictController], providers: [JwtStrategy] })
class PrototypeModule {}

const api = await NestFactory.create(PrototypeModule, new ExpressAdapter(), { logger: false });
await api.listen(0, '127.0.0.1');
process.send?.({ url: await api.getUrl() });
process.on('SIGTERM', () => process.exit(0));
