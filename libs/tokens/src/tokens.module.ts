import { Module } from '@nestjs/common';
import { PassportModule } from '@nestjs/passport';
import { CONFIG } from '#libs/config';
import { UsersModule } from '#libs/users';
import { JwtStrategy } from './jwt.strategy.js';
import { LoginThrottle } from './login-throttle.js';
import { createSigningKey, SIGNING_KEY } from './signing-key.js';
import { TokensService } from './tokens.service.js';

@Module({
  imports: [PassportModule, UsersModule],
  providers: [
    { provide: SIGNING_KEY, inject: [CONFIG], useFactory: createSigningKey },
    LoginThrottle,
    TokensService,
    JwtStrategy,
  ],
  exports: [TokensService],
})
export class TokensModule {}
