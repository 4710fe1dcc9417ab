-- AlterTable
ALTER TABLE "Quote" ADD COLUMN "expiresAt" TIMESTAMP(3);
