import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { UsersModule } from '#libs/users';
import { LoginThrottle } from './login-throttle.js';
import { createSigningKey, SIGNING_KEY } from './signing-key.js';
import { TokenVerifier } from './token-verifier.js';
import { TokensService } from './tokens.service.js';

@Module({
  imports: [UsersModule],
  providers: [
    { provide: SIGNING_KEY, inject: [CONFIG], useFactory: createSigningKey },
    LoginThrottle,
    TokenVerifier,
    TokensService,
  ],
  exports: [TokensService],
})
export class TokensModule {}
