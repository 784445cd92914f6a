import { Module } from '@nestjs/common';
import { PassportModule } from '@nestjs/passport';
import { CONFIG } from '#libs/config';
import { UsersModule } from '#libs/users';
import { JwtStrategy } from './jwt.strategy.js';
import { LoginThrottle } from './login-throttle.js';
import { createSigningKey, SIGNING_KEY } from './signing-key.js';
import { TokensService } from './tokens.service.js';
import { VerifiedTokens } from './verified-tokens.js';

@Module({
  imports: [PassportModule, UsersModule],
  providers: [
    { provide: SIGNING_KEY, inject: [CONFIG], useFactory: createSigningKey },
    LoginThrottle,
    VerifiedTokens,
    TokensService,
    JwtStrategy,
  ],
  exports: [TokensService, VerifiedTokens],
})
export class TokensModule {}
